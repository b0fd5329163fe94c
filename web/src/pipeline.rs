//! The experiment's card, one card for each strategy in a row, and buttons to add more.

use crate::experiment_panel::ExperimentCard;
use crate::kinds::KINDS;
use crate::lab::use_lab;
use crate::strategy_card::StrategyCard;
use leptos::prelude::*;

#[component]
pub fn Pipeline() -> impl IntoView {
    let strategies = use_lab().form.strategies;
    let many = Memo::new(move |_| strategies.with(Vec::len) > 1);
    view! {
        <section class="pipeline" class:many=many aria-label="Experiment">
            <ExperimentCard/>
            <div class="strategies">
                <div class="strategy-row">
                    {move || {
                        let cards = strategies.get().into_iter().enumerate();
                        cards.map(|(index, form)| view! { <StrategyCard index form/> }).collect_view()
                    }}
                </div>
                <AddStrategy/>
            </div>
        </section>
    }
}

/// A button for each kind of strategy.
#[component]
fn AddStrategy() -> impl IntoView {
    let lab = use_lab();
    let active = Memo::new(move |_| lab.store.phase.get().is_active());
    let buttons = KINDS.iter().map(|kind| {
        let add = move |_| match lab.form.add(kind) {
            Ok(_) => lab.store.input_changed(),
            Err(error) => lab.store.fail_with(error),
        };
        view! {
            <button type="button" class="button small" on:click=add title=kind.description>{kind.title}</button>
        }
    });
    view! {
        <fieldset class="add" disabled=active>
            <legend>"Add a strategy"</legend>
            {buttons.collect_view()}
        </fieldset>
    }
}
