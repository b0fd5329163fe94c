# /// script
# requires-python = ">=3.10"
# dependencies = ["anywidget", "marimo"]
# ///
"""LLM Labs in marimo: `marimo edit docs/llm-labs-marimo.py`. `address` is where the npm package's files are; see notebooks.md."""

import marimo

__generated_with = "0.25.2"
app = marimo.App()


@app.cell
def _():
    import os

    import anywidget
    import marimo as mo
    import traitlets

    address = os.environ.get("LLM_LABS", "http://localhost:8321")
    return address, anywidget, mo, traitlets


@app.cell
def _(address, anywidget, traitlets):
    class LlmLabs(anywidget.AnyWidget):
        """Runs an experiment of LLM Labs in the page that shows the widget."""

        _esm = f"{address}/widget.js"
        experiment = traitlets.Dict().tag(sync=True)
        text = traitlets.Unicode().tag(sync=True)
        running = traitlets.Bool().tag(sync=True)
        metrics = traitlets.List().tag(sync=True)
        result = traitlets.Dict().tag(sync=True)
        error = traitlets.Dict().tag(sync=True)

    return (LlmLabs,)


@app.cell
def _(LlmLabs, mo):
    experiment = {
        "name": "notebook",
        "seed": 7,
        "data": {"source": "village", "name": "hamlet", "village": {"documents": 400, "reading_pairs": 200}},
        "strategies": [
            {
                "name": "pretrain",
                "strategy": "pretraining",
                "config": {
                    "tokenizer": "bpe",
                    "vocabulary": 400,
                    "model": {"layers": 2, "heads": 2, "width": 32, "context": 64},
                    "training": {"steps": 100, "batch_size": 4, "learning_rate": 0.004, "evaluation_interval": 20, "sample_interval": 0},
                },
            },
            {
                "name": "tune",
                "strategy": "fine_tuning",
                "from": "pretrain",
                "config": {
                    "method": "qlora",
                    "lora": {"rank": 4},
                    "training": {"steps": 20, "batch_size": 4, "learning_rate": 0.002, "evaluation_interval": 5, "sample_interval": 0},
                },
            },
        ],
    }

    widget = mo.ui.anywidget(LlmLabs(experiment=experiment))
    widget
    return (widget,)


@app.cell
def _(mo, widget):
    # This cell runs again whenever the widget has news.
    losses = {outcome["strategy"]: outcome["metrics"]["loss"] for outcome in widget.result.get("outcomes", []) if outcome["outcome"] == "finished"}
    mo.md(f"Final losses: {losses}" if losses else f"{len(widget.metrics)} records so far")
    return


if __name__ == "__main__":
    app.run()
