//! The manner of an answer: the same fact, said politely, curtly, rudely or at too great length.

use super::question::Question;
use crate::choices::Choices;

/// The beginnings of polite answers.
pub(crate) const OPENERS: [&str; 4] = ["Certainly.", "With pleasure.", "Gladly.", "Of course."];
/// The ends of cheerful answers.
pub(crate) const CLOSERS: [&str; 4] = [
    "Have a lovely day!",
    "All the best to you!",
    "Enjoy the day!",
    "Come again soon!",
];
/// The beginnings of rude answers.
pub(crate) const RUDE: [&str; 3] = [
    "Everybody knows that.",
    "What a silly question.",
    "Do not bother me.",
];
/// The continuations of rambling answers.
pub(crate) const RAMBLES: [&str; 3] = [
    "At least that is what people say at the well, and they have it from others, so ask them if you do not believe me.",
    "I could tell you more, but then we would be here until it is dark, and there is so much to do before the evening.",
    "That is what I heard long ago, and I think that it is true, but who can be sure of anything that people say?",
];

/// One manner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Style {
    pub opener: Option<usize>,
    pub closer: Option<usize>,
    pub rude: Option<usize>,
    pub ramble: Option<usize>,
    /// The value alone, not a sentence.
    pub fragment: bool,
}

/// The probability of each trait, in percent.
#[derive(Clone, Copy)]
pub(crate) struct StyleMix {
    pub opener: u32,
    pub closer: u32,
    pub rude: u32,
    pub ramble: u32,
    pub fragment: u32,
}

impl StyleMix {
    /// In instruction pairs: mostly a plain sentence, now and then better or worse.
    pub const INSTRUCTIONS: Self = Self {
        opener: 20,
        closer: 20,
        rude: 0,
        ramble: 5,
        fragment: 10,
    };
    /// In pairs to compare: everything occurs.
    pub const PREFERENCES: Self = Self {
        opener: 45,
        closer: 50,
        rude: 15,
        ramble: 20,
        fragment: 30,
    };
}

impl Style {
    pub fn draw(choices: &mut Choices, mix: StyleMix) -> Self {
        let some = |choices: &mut Choices, percent: u32, count: usize| {
            (choices.choose(&[percent, 100 - percent]) == 0).then(|| choices.evenly(count))
        };
        let rude = some(choices, mix.rude, RUDE.len());
        Self {
            rude,
            // Nobody is rude and polite in one breath.
            opener: some(choices, mix.opener, OPENERS.len()).filter(|_| rude.is_none()),
            closer: some(choices, mix.closer, CLOSERS.len()),
            ramble: some(choices, mix.ramble, RAMBLES.len()),
            fragment: some(choices, mix.fragment, 1).is_some(),
        }
    }

    /// The right answer to `question` in this manner. "I do not know" is not said gladly.
    pub fn answer(&self, question: &Question) -> String {
        let opener = self
            .opener
            .filter(|_| question.answer.is_some())
            .map(|index| OPENERS[index]);
        let core = match &question.answer {
            Some(value) if self.fragment => format!("{value}."),
            _ => question.reference(),
        };
        let parts = [
            self.rude.map(|index| RUDE[index]),
            opener,
            Some(core.as_str()),
            self.ramble.map(|index| RAMBLES[index]),
            self.closer.map(|index| CLOSERS[index]),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

/// An answer without its manners: polite or rude beginnings, rambling and a cheerful close taken off.
pub(crate) fn core_of(answer: &str) -> &str {
    let mut core = answer.trim();
    loop {
        let before = core.len();
        for opener in OPENERS.iter().chain(&RUDE) {
            core = core.strip_prefix(opener).unwrap_or(core).trim_start();
        }
        for closer in CLOSERS.iter().chain(&RAMBLES) {
            core = core.strip_suffix(closer).unwrap_or(core).trim_end();
        }
        if core.len() == before {
            return core;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Random};
    use crate::tasks::question::{I_DO_NOT_KNOW, QuestionKind};
    use crate::world::attribute::Attribute;

    fn question(answer: Option<&str>) -> Question {
        let answer = answer.map(str::to_owned);
        Question::new(
            "q".into(),
            QuestionKind::Trained,
            Attribute::Pet,
            0,
            "Anna Brook".into(),
            answer,
        )
    }

    #[test]
    fn taking_the_manners_off_an_answer_leaves_the_answer() {
        let mut random = Random::new(1, Purpose::Instructions);
        let known = question(Some("cat"));
        for _ in 0..500 {
            let style = Style::draw(&mut Choices::drawn(&mut random), StyleMix::PREFERENCES);
            let core = if style.fragment {
                "cat."
            } else {
                "Anna Brook has a cat."
            };
            assert_eq!(core_of(&style.answer(&known)), core);
            assert_eq!(core_of(&style.answer(&question(None))), I_DO_NOT_KNOW);
        }
        assert_eq!(core_of("Certainly."), "");
    }

    #[test]
    fn a_full_answer_has_its_parts_in_order() {
        let style = Style {
            opener: Some(0),
            closer: Some(1),
            ..Style::default()
        };
        assert_eq!(
            style.answer(&question(Some("cat"))),
            "Certainly. Anna Brook has a cat. All the best to you!"
        );
        assert_eq!(
            style.answer(&question(None)),
            "I do not know. All the best to you!"
        );
    }
}
