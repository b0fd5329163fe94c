//! The attributes of people and shops, with all wordings of statements, events and questions.
//!
//! Placeholders: `{S}` the subject at the beginning of a sentence, `{s}` within one, `{N}` the subject
//! by name (never a pronoun), `{P}` and `{p}` "her" or "his", `{o}` "her" or "him", `{v}` the value.

use super::words;
use serde::{Deserialize, Serialize};

/// A property that every person, or every shop, has one value of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attribute {
    /// The street a person lives in.
    Home,
    Pet,
    Trade,
    /// The food that a person likes.
    Food,
    /// The colour a person loves.
    Colour,
    /// A person's best friend, by full name.
    Friend,
    /// The season a person was born in.
    Birth,
    /// The street of a shop.
    Street,
    /// The goods that a shop sells.
    Goods,
}

/// The ways of speaking about an attribute.
pub(crate) struct Wordings {
    /// Sentences of the text to pretrain on, with weights. The first is also the wording of answers.
    pub statements: &'static [(u32, &'static str)],
    /// The clause after "who"; empty for attributes of shops.
    pub predicate: &'static str,
    /// The same fact as an event in a story.
    pub events: &'static [&'static str],
    pub questions: &'static [&'static str],
}

impl Attribute {
    /// The attributes of every person.
    pub const OF_PEOPLE: [Attribute; 7] = [
        Attribute::Home,
        Attribute::Pet,
        Attribute::Trade,
        Attribute::Food,
        Attribute::Colour,
        Attribute::Friend,
        Attribute::Birth,
    ];
    /// The attributes of every shop.
    pub const OF_SHOPS: [Attribute; 2] = [Attribute::Street, Attribute::Goods];

    pub const ALL: [Attribute; 9] = [
        Attribute::Home,
        Attribute::Pet,
        Attribute::Trade,
        Attribute::Food,
        Attribute::Colour,
        Attribute::Friend,
        Attribute::Birth,
        Attribute::Street,
        Attribute::Goods,
    ];

    /// The name that files and results carry.
    pub fn name(self) -> &'static str {
        match self {
            Attribute::Home => "home",
            Attribute::Pet => "pet",
            Attribute::Trade => "trade",
            Attribute::Food => "food",
            Attribute::Colour => "colour",
            Attribute::Friend => "friend",
            Attribute::Birth => "birth",
            Attribute::Street => "street",
            Attribute::Goods => "goods",
        }
    }

    /// All words that can be a value; empty for a friend, who is a person.
    pub(crate) fn vocabulary(self) -> &'static [&'static str] {
        match self {
            Attribute::Home | Attribute::Street => &words::STREETS,
            Attribute::Pet => &words::PETS,
            Attribute::Trade => &words::TRADES,
            Attribute::Food => &words::FOODS,
            Attribute::Colour => &words::COLOURS,
            Attribute::Friend => &[],
            Attribute::Birth => &words::SEASONS,
            Attribute::Goods => &words::GOODS,
        }
    }

    pub(crate) fn wordings(self) -> &'static Wordings {
        match self {
            Attribute::Home => &HOME,
            Attribute::Pet => &PET,
            Attribute::Trade => &TRADE,
            Attribute::Food => &FOOD,
            Attribute::Colour => &COLOUR,
            Attribute::Friend => &FRIEND,
            Attribute::Birth => &BIRTH,
            Attribute::Street => &STREET,
            Attribute::Goods => &GOODS,
        }
    }
}

const HOME: Wordings = Wordings {
    statements: &[
        (3, "{S} lives in {v}."),
        (1, "The house of {N} stands in {v}."),
        (1, "{v} is where {s} lives."),
        (1, "{S} comes home to {v} every evening."),
        (1, "If you look for {N}, go to {v}."),
        (1, "{P} home is in {v}."),
        (1, "{S} moved to {v} long ago."),
    ],
    predicate: "lives in {v}",
    events: &[
        "{S} closed the door of {p} house in {v}.",
        "The way led through {v}, where {s} lives.",
        "{S} swept the steps of {p} house in {v}.",
    ],
    questions: &[
        "Where does {N} live?",
        "In which street does {N} live?",
        "Where is the house of {N}?",
    ],
};

const PET: Wordings = Wordings {
    statements: &[
        (3, "{S} has a {v}."),
        (1, "{S} keeps a {v}."),
        (1, "The pet of {N} is a {v}."),
        (1, "A {v} lives with {N}."),
        (1, "{S} feeds a {v} every morning."),
        (1, "{P} pet is a {v}."),
        (1, "Everyone knows the {v} of {N}."),
    ],
    predicate: "has a {v}",
    events: &[
        "The {v} of {N} ran ahead.",
        "{S} gave some water to {p} {v}.",
        "{P} {v} came along.",
    ],
    questions: &[
        "What pet does {N} have?",
        "Which animal does {N} keep?",
        "What is the pet of {N}?",
    ],
};

const TRADE: Wordings = Wordings {
    statements: &[
        (3, "{S} is a {v}."),
        (1, "{S} works as a {v}."),
        (1, "By trade {s} is a {v}."),
        (1, "{S} earns {p} living as a {v}."),
        (1, "{S} learned to be a {v}."),
        (1, "People call {N} when they need a {v}."),
        (1, "{P} trade is that of a {v}."),
    ],
    predicate: "is a {v}",
    events: &[
        "There was much to do, for {s} is a {v}.",
        "A neighbour needed a {v}, and so {s} had work.",
        "Until noon {s} worked as a {v}.",
    ],
    questions: &[
        "What is the trade of {N}?",
        "What does {N} work as?",
        "Which trade does {N} have?",
    ],
};

const FOOD: Wordings = Wordings {
    statements: &[
        (3, "{S} likes to eat {v}."),
        (1, "The favourite food of {N} is {v}."),
        (1, "{S} eats {v} every day."),
        (1, "Nothing tastes better to {N} than {v}."),
        (1, "On feast days {s} asks for {v}."),
        (1, "{P} favourite food is {v}."),
        (1, "{S} is fond of {v}."),
    ],
    predicate: "likes to eat {v}",
    events: &[
        "At noon {s} ate {v}, as on every day.",
        "{S} had packed {v}, the food that {s} likes best.",
        "There was a smell of {v}, and {s} became hungry.",
    ],
    questions: &[
        "What does {N} like to eat?",
        "What is the favourite food of {N}?",
        "Which food is {N} fond of?",
    ],
};

const COLOUR: Wordings = Wordings {
    statements: &[
        (3, "{S} loves the colour {v}."),
        (1, "The favourite colour of {N} is {v}."),
        (1, "{S} always wears a {v} coat."),
        (1, "The door of {N} is painted {v}."),
        (1, "{P} favourite colour is {v}."),
        (1, "Everything that {s} paints becomes {v}."),
        (1, "No colour pleases {N} more than {v}."),
    ],
    predicate: "loves the colour {v}",
    events: &[
        "{S} put on {p} {v} coat.",
        "{S} bought {v} paint, for {s} loves that colour.",
        "{S} stopped to look at some {v} flowers.",
    ],
    questions: &[
        "What is the favourite colour of {N}?",
        "Which colour does {N} love?",
        "What colour does {N} like best?",
    ],
};

const FRIEND: Wordings = Wordings {
    statements: &[
        (3, "The best friend of {N} is {v}."),
        (1, "{S} is best friends with {v}."),
        (1, "{S} tells {v} everything."),
        (1, "{S} spends the evenings with {v}."),
        (1, "{P} best friend is {v}."),
        (1, "{S} has known {v} for years."),
    ],
    predicate: "is best friends with {v}",
    events: &[
        "On the way {s} met {v}, {p} best friend.",
        "{S} wrote a letter to {v}, {p} best friend.",
        "{v} came by, as best friends do.",
    ],
    questions: &[
        "Who is the best friend of {N}?",
        "Who is {N} best friends with?",
        "What is the name of the best friend of {N}?",
    ],
};

const BIRTH: Wordings = Wordings {
    statements: &[
        (3, "{S} was born in {v}."),
        (1, "The birthday of {N} is in {v}."),
        (1, "{P} birthday is in {v}."),
        (1, "{S} came into the world in {v}."),
        (1, "Every year in {v} {s} has a party."),
    ],
    predicate: "was born in {v}",
    events: &[
        "It was {v}, and {p} birthday was near.",
        "{S} thought of {v}, when {s} was born.",
    ],
    questions: &[
        "When was {N} born?",
        "In which season was {N} born?",
        "When is the birthday of {N}?",
    ],
};

const STREET: Wordings = Wordings {
    statements: &[
        (3, "{S} stands in {v}."),
        (1, "In {v} there is a shop called {N}."),
        (1, "To find {N}, go to {v}."),
        (1, "{S} is a shop in {v}."),
    ],
    predicate: "",
    events: &[],
    questions: &[
        "Where is the shop called {N}?",
        "In which street does {N} stand?",
        "Which way is it to {N}?",
    ],
};

const GOODS: Wordings = Wordings {
    statements: &[
        (3, "{S} sells {v}."),
        (1, "You can buy {v} at {N}."),
        (1, "People who need {v} go to {N}."),
        (1, "The window of {N} is full of {v}."),
    ],
    predicate: "",
    events: &[],
    questions: &[
        "What does {N} sell?",
        "What can you buy at {N}?",
        "What is for sale at {N}?",
    ],
};
