//! An error, with all that the user needs to fix it: code, message, hint, field, and the page's offers.

use crate::lab::field_id;
use crate::lab::use_lab;
use crate::platform;
use crate::store::Problem;
use lab_orchestrator::scheduler::Offer;
use lab_protocol::BackendChoice;
use leptos::prelude::*;

#[component]
pub fn ErrorPanel() -> impl IntoView {
    let lab = use_lab();
    // An error of the form goes away with its cause.
    let valid = Memo::new(move |_| lab.form.build(lab.store.backend.get()).is_ok());
    Effect::new(move |before: Option<bool>| {
        let valid = valid.get();
        let of_the_form =
            |problem: &Problem| problem.offers.is_empty() && problem.error.code.is_input();
        if before == Some(false)
            && valid
            && lab
                .store
                .problem
                .with_untracked(|problem| problem.as_ref().is_some_and(of_the_form))
        {
            lab.store.problem.set(None);
        }
        valid
    });
    // The live region is always there: one that appears together with its text is not read out.
    view! {
        <div role="alert" class="error-place">
            {move || lab.store.problem.get().map(|problem| view! { <ErrorCard problem/> })}
        </div>
    }
}

#[component]
fn ErrorCard(problem: Problem) -> impl IntoView {
    let lab = use_lab();
    let Problem { error, offers } = problem;
    let field = error.field.clone().map(|field| {
        let id = field_id(&field);
        let known = document().get_element_by_id(&id).is_some();
        let go = move |_| platform::focus(&id);
        view! {
            <p class="error-field">
                "Field: "
                {if known {
                    view! { <button type="button" class="link" on:click=go><code>{field}</code></button> }.into_any()
                } else {
                    view! { <code>{field}</code> }.into_any()
                }}
            </p>
        }
    });
    view! {
        <div class="card error">
            <div class="error-head">
                <code class="error-code">{error.code.to_string()}</code>
                <strong class="error-message">{error.message.to_string()}</strong>
                <button type="button" class="icon-button" aria-label="Dismiss this error" on:click=move |_| lab.store.problem.set(None)>
                    "×"
                </button>
            </div>
            <p class="error-hint">{error.hint.to_string()}</p>
            {field}
            <div class="actions">
                {offers.into_iter().map(|offer| view! {
                    <button type="button" class="button" on:click=move |_| lab.accept(offer)>
                        {label(offer, lab.store.backend.get_untracked())}
                    </button>
                }).collect_view()}
            </div>
        </div>
    }
}

fn label(offer: Offer, chosen: BackendChoice) -> String {
    let on_cpu = |backend| backend == BackendChoice::Cpu && chosen != BackendChoice::Cpu;
    match offer {
        Offer::Continue { step, backend, .. } if on_cpu(backend) => {
            format!("Continue from step {step} on the CPU")
        }
        Offer::Continue { step, .. } => format!("Continue from step {step}"),
        Offer::Restart { backend } if on_cpu(backend) => "Use the CPU".to_owned(),
        Offer::Restart { .. } => "Start the worker again".to_owned(),
    }
}
