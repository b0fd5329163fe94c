//! Writes sentences from templates, piece by piece. A writer can be held to a given text: as soon as a piece differs,
//! it no longer decides or writes anything.

use crate::choices::Choices;
use crate::world::attribute::Attribute;
use crate::world::character::Character;

/// The names of the people in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// One person: by full name at first, then by pronoun, first name or full name.
    One { introduced: bool },
    /// Several: always by full name.
    Several,
}

/// A fact that a text states, and by which of the wordings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mention {
    pub subject: String,
    pub attribute: Attribute,
    pub wording: Wording,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wording {
    Statement(usize),
    Predicate,
    Event(usize),
}

pub(crate) struct Writer<'a> {
    text: String,
    choices: Choices<'a>,
    expected: Option<&'a str>,
    failed: bool,
    pub mentions: Vec<Mention>,
}

impl<'a> Writer<'a> {
    pub fn new(choices: Choices<'a>) -> Self {
        Self {
            text: String::new(),
            choices,
            expected: None,
            failed: false,
            mentions: Vec::new(),
        }
    }

    /// A writer that can only write `expected`.
    pub fn expecting(expected: &'a str, choices: Choices<'a>) -> Self {
        Self {
            expected: Some(expected),
            ..Self::new(choices)
        }
    }

    pub fn choose(&mut self, weights: &[u32]) -> usize {
        if self.failed {
            return weights.iter().position(|&weight| weight > 0).unwrap_or(0);
        }
        self.choices.choose(weights)
    }

    pub fn evenly(&mut self, count: usize) -> usize {
        if self.failed {
            0
        } else {
            self.choices.evenly(count)
        }
    }

    /// One of a list, each as likely as any other.
    pub fn any<'t>(&mut self, list: &[&'t str]) -> &'t str {
        list[self.evenly(list.len())]
    }

    /// The decisions themselves, for direct draws. `None` once the text differs from the given one.
    pub fn choices(&mut self) -> Option<&mut Choices<'a>> {
        (!self.failed).then_some(&mut self.choices)
    }

    /// Writes words. A blank is put before them, but not before punctuation.
    pub fn put(&mut self, words: &str) {
        let words = words.trim();
        if self.failed || words.is_empty() {
            return;
        }
        let start = self.text.len();
        if start > 0 && !words.starts_with(['.', ',', '!', '?']) {
            self.text.push(' ');
        }
        self.text.push_str(words);
        if let Some(expected) = self.expected {
            self.failed = !expected.as_bytes()[start.min(expected.len())..]
                .starts_with(&self.text.as_bytes()[start..]);
        }
    }

    /// Writes a template about `who`; the names in braces are the names of [`Attribute`], and `{F}` for the full
    /// name. `value` is the attribute that `{v}` stands for.
    pub fn sentence(
        &mut self,
        template: &str,
        who: &mut Character,
        value: Option<Attribute>,
        naming: &mut Naming,
    ) {
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            self.put(before);
            let (slot, after) = after.split_once('}').unwrap_or((after, ""));
            self.slot(slot, who, value, naming);
            rest = after;
        }
        self.put(rest);
    }

    fn slot(
        &mut self,
        slot: &str,
        who: &mut Character,
        value: Option<Attribute>,
        naming: &mut Naming,
    ) {
        if slot == "v" {
            if let Some(attribute) = value {
                self.value(attribute, who);
            }
            return;
        }
        let words = self.reference(slot, who, *naming);
        self.put(&words);
        if let (Naming::One { introduced }, "S" | "s" | "N" | "F") = (naming, slot) {
            *introduced = true;
        }
    }

    /// Writes the value of an attribute of `who`.
    pub fn value(&mut self, attribute: Attribute, who: &mut Character) {
        if let Some(choices) = self.choices() {
            let value = who.value(attribute, choices);
            self.put(&value);
        }
    }

    /// The subject as `slot` wants it.
    fn reference(&mut self, slot: &str, who: &Character, naming: Naming) -> String {
        let forms = Forms::of(who, slot == "S");
        match slot {
            "P" => return if forms.woman { "Her" } else { "His" }.to_owned(),
            "p" => return if forms.woman { "her" } else { "his" }.to_owned(),
            "o" => return if forms.woman { "her" } else { "him" }.to_owned(),
            _ => {}
        }
        let free = naming == Naming::One { introduced: true };
        let (short, pronoun) = match slot {
            "S" | "s" => (u32::from(forms.short.is_some()) * 4, 2),
            "N" => (u32::from(forms.short.is_some()) * 4, 0),
            _ => (0, 0),
        };
        let weights = if free { [3, short, pronoun] } else { [1, 0, 0] };
        match (self.choose(&weights), forms.short) {
            (1, Some(short)) => short,
            (2, _) => forms.pronoun.to_owned(),
            _ => forms.full,
        }
    }

    /// Notes that a fact was stated.
    pub fn mention(&mut self, who: &Character, attribute: Attribute, wording: Wording) {
        // The model must not remember travellers.
        let subject = match who {
            Character::Known(person) => person.name.to_string(),
            Character::Shop(shop) => shop.full_name(),
            Character::Drawn(_) => return,
        };
        if self.expected.is_none() {
            self.mentions.push(Mention {
                subject,
                attribute,
                wording,
            });
        }
    }

    /// The text, and the sum of -ln p over its decisions.
    pub fn finish(self) -> (String, f64) {
        (self.text, self.choices.nats())
    }

    /// For a writer that was held to a text: -ln p if it wrote that text.
    pub fn finish_as_expected(self) -> Option<f64> {
        (!self.failed && self.expected == Some(self.text.as_str())).then(|| self.choices.nats())
    }
}

/// The ways of naming a person.
struct Forms {
    full: String,
    short: Option<String>,
    pronoun: &'static str,
    woman: bool,
}

impl Forms {
    fn of(who: &Character, at_start: bool) -> Self {
        match (who, who.name()) {
            (_, Some(name)) => Self {
                full: name.to_string(),
                short: Some(name.first.to_owned()),
                pronoun: match (name.woman, at_start) {
                    (true, true) => "She",
                    (true, false) => "she",
                    (false, true) => "He",
                    (false, false) => "he",
                },
                woman: name.woman,
            },
            (Character::Shop(shop), _) => Self {
                full: if at_start {
                    format!("The {}", shop.name)
                } else {
                    shop.full_name()
                },
                short: None,
                pronoun: if at_start { "It" } else { "it" },
                woman: false,
            },
            _ => Self {
                full: String::new(),
                short: None,
                pronoun: "",
                woman: false,
            },
        }
    }
}

/// Whether a template names its subject, so the sentence makes sense alone.
pub(crate) fn names_subject(template: &str) -> bool {
    ["{S}", "{s}", "{N}", "{F}"]
        .iter()
        .any(|slot| template.contains(slot))
}
