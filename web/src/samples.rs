//! Texts that the model writes as it learns, and its answers from documents.

use crate::format::count;
use crate::lab::use_lab;
use crate::runs::Sample;
use lab_protocol::{AnswerOutcome, Grounds, UsedPassage};
use leptos::prelude::*;

/// Examples token by token, with a mark on the tokens that the loss counts.
#[component]
fn ExamplesLearned() -> impl IntoView {
    let lab = use_lab();
    let info = move || lab.shown().and_then(|form| form.run.info.get());
    let examples = Memo::new(move |_| info().map(|info| info.examples).unwrap_or_default());
    let skipped = move || info().and_then(|info| info.skipped_rows);
    view! {
        {move || skipped().map(|rows| view! { <p class="muted">{format!("Left out: {rows}.")}</p> })}
        <Show when=move || examples.with(|examples| !examples.is_empty())>
            <details class="examples">
                <summary>"Learned tokens"</summary>
                <p class="muted">"The first examples as tokens; only the marked ones count in the loss."</p>
                {move || {
                    examples
                        .get()
                        .into_iter()
                        .map(|example| {
                            let tokens = example.tokens.into_iter().map(|token| {
                                let class = if token.learned { "token learned" } else { "token" };
                                view! { <span class=class>{shown(&token.text)}</span> }
                            });
                            view! { <pre class="sample-text">{tokens.collect_view()}</pre> }
                        })
                        .collect_view()
                }}
            </details>
        </Show>
    }
}

/// A token's text, its new lines made visible.
fn shown(text: &str) -> String {
    text.replace('\n', "⏎\n")
}

/// The samples of the run that is looked at, latest first.
#[component]
pub fn SamplesCard() -> impl IntoView {
    let lab = use_lab();
    let samples = Memo::new(move |_| {
        lab.shown()
            .map(|form| form.run.samples.get())
            .unwrap_or_default()
    });
    let writing = move || lab.shown().and_then(|form| form.run.writing.get());
    view! {
        <section class="card samples" aria-labelledby="samples-title">
            <h2 id="samples-title">"Samples"</h2>
            <ExamplesLearned/>
            <Show when=move || samples.with(|samples| samples.is_empty()) && writing().is_none()>
                <p class="muted">"The texts that the model writes as it learns appear here."</p>
            </Show>
            {move || writing().map(|sample| view! {
                <div class="unfinished"><p class="sample-step">"Writing…"</p><SampleText sample/></div>
            })}
            <ol class="sample-list" tabindex="0" aria-label="Samples, latest first">
                <For each=move || samples.get() key=|sample| sample.key let(sample)>
                    <li>
                        <p class="sample-step">{format!("Step {}", count(sample.step))}</p>
                        <SampleText sample/>
                    </li>
                </For>
            </ol>
        </section>
    }
}

/// The prompt, set apart, and its continuation; of an answer from documents also the passages.
#[component]
pub fn SampleText(sample: Sample) -> impl IntoView {
    if let Some(grounds) = sample.grounds {
        return view! { <Answer question=sample.prompt text=sample.text grounds/> }.into_any();
    }
    let prompt = sample.prompt.trim_start_matches('\n').to_owned();
    // A prompt of new lines says nothing, so the text begins at its first letters.
    let text = if prompt.is_empty() {
        sample.text.trim_start_matches('\n').to_owned()
    } else {
        sample.text
    };
    view! {
        <pre class="sample-text"><span class="sample-prompt">{prompt}</span>{text}</pre>
    }
    .into_any()
}

/// A question, its answer, and the passages that the answer was written from.
#[component]
fn Answer(question: String, text: String, grounds: Grounds) -> impl IntoView {
    let answer = match grounds.outcome {
        AnswerOutcome::Answered => view! { <p class="grounded-answer">{text}</p> }.into_any(),
        AnswerOutcome::NoPassage => {
            view! { <p class="grounded-answer muted">"No passage is close enough: the model was not asked."</p> }
                .into_any()
        }
    };
    let passages = grounds.passages.into_iter().enumerate();
    let passages: Vec<_> = passages
        .map(|(index, passage)| row(index, passage))
        .collect();
    view! {
        <p class="grounded-question"><span class="sample-prompt">{question.trim().to_owned()}</span></p>
        {answer}
        {(!passages.is_empty()).then(|| view! {
            <ol class="passages" aria-label="Passages that the answer was written from">{passages}</ol>
        })}
    }
}

fn row(index: usize, passage: UsedPassage) -> impl IntoView {
    let UsedPassage {
        document,
        start,
        end,
        text,
        score,
        cited,
        ..
    } = passage;
    view! {
        <li class:cited=cited>
            <p class="passage-head">
                <span class="passage-number">{format!("[{}]", index + 1)}</span>
                <code>{document}</code>
                <span>{format!("{}–{}", count(start), count(end))}</span>
                {cited.then_some(view! { <span class="passage-cited">"cited"</span> })}
                <span class="passage-score" title="Score by the scale of the method">{format!("{score:.4}")}</span>
            </p>
            <p class="passage-text">{text}</p>
        </li>
    }
}
