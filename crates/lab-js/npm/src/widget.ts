/**
 * A widget for notebooks (Jupyter, marimo and whatever else shows widgets of `anywidget`): runs an experiment in the page
 * and shares what comes of it with the notebook's program.
 *
 * @packageDocumentation
 */

import { WidgetSession } from "./widget-session.js";
import type { WidgetModel } from "./widget-session.js";
import { showPanel } from "./widget-panel.js";

export type { WidgetModel, WidgetRecord, WidgetTraits } from "./widget-session.js";

/** A widget as `anywidget` takes it; both methods return what undoes them. */
export interface NotebookWidget {
  /** Follows the traits of a model. */
  initialize(props: { model: WidgetModel }): () => void;
  /** Shows the model in an element. */
  render(props: { model: WidgetModel; el: HTMLElement }): () => void;
}

/** Makes the widget of one model. Its views share one lab, which ends when the last of them is removed. */
export default function widget(): NotebookWidget {
  let session: WidgetSession | undefined;
  // A view's model forgets what listens to it when that view is removed, so the session has the widget's own.
  const of = (model: WidgetModel) => (session ??= new WidgetSession(model));
  return {
    initialize({ model }) {
      const made = of(model);
      return () => made.close();
    },
    render({ model, el }) {
      return showPanel(el, of(model));
    },
  };
}
