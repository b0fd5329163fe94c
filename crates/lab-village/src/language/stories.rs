//! The documents of the village's language. A document is one line: sentences about people and
//! shops, told as a description or as a short story. All decisions go through the writer.

use super::writer::{Naming, Wording, Writer, names_subject};
use crate::world::attribute::Attribute;
use crate::world::character::Character;
use crate::world::population::World;

/// Weights of the kinds of documents except [`Kind::Travellers`], whose share is a setting.
const KINDS: [(u32, Kind); 4] = [
    (44, Kind::Description),
    (31, Kind::Day),
    (15, Kind::Meeting),
    (10, Kind::Shop),
];

#[derive(Clone, Copy)]
enum Kind {
    /// Facts about one person.
    Description,
    /// A day of one person, in which facts play a part.
    Day,
    /// Two people, distinguished by their full names.
    Meeting,
    /// A shop and its customers.
    Shop,
}

/// Writes one document.
pub(crate) fn document(writer: &mut Writer, world: &World) {
    let share = world.travellers_share;
    if writer.choose(&[share, 1000 - share]) == 0 {
        return travellers(writer, world);
    }
    match KINDS[writer.choose(&KINDS.map(|(weight, _)| weight))].1 {
        Kind::Description => description(writer, world),
        Kind::Day => day(writer, world),
        Kind::Meeting => meeting(writer, world),
        Kind::Shop => shop(writer, world),
    }
}

fn description(writer: &mut Writer, world: &World) {
    let mut who = Character::Known(&world.people[writer.evenly(world.people.len())]);
    let count = 3 + writer.choose(&[3, 3, 2]);
    describe(writer, &mut who, Attribute::OF_PEOPLE.to_vec(), count);
}

/// Tells `count` of the attributes in `open`, each once, in any order and wording.
pub(crate) fn describe(
    writer: &mut Writer,
    who: &mut Character,
    mut open: Vec<Attribute>,
    count: usize,
) {
    let mut naming = Naming::One { introduced: false };
    let end = open.len() - count.min(open.len());
    while open.len() > end {
        let first = take(writer, &mut open);
        let shape = if open.len() > end {
            writer.choose(&[5, 2, 1])
        } else {
            0
        };
        if shape == 0 {
            state(writer, who, first, &mut naming);
            continue;
        }
        let second = take(writer, &mut open);
        // "Anna, who has a cat, is a baker." or "Anna has a cat and is a baker."
        let (start, middle, close) = [("", "and", "."), (", who", ",", ".")][shape - 1];
        writer.sentence(
            if shape == 1 { "{S}" } else { "{N}" },
            who,
            None,
            &mut naming,
        );
        writer.put(start);
        predicate(writer, who, first, &mut naming);
        writer.put(middle);
        predicate(writer, who, second, &mut naming);
        writer.put(close);
    }
}

/// Takes one of the attributes that are not told yet, all with the same probability.
fn take(writer: &mut Writer, open: &mut Vec<Attribute>) -> Attribute {
    open.remove(writer.evenly(open.len()))
}

fn predicate(writer: &mut Writer, who: &mut Character, attribute: Attribute, naming: &mut Naming) {
    writer.sentence(attribute.wordings().predicate, who, Some(attribute), naming);
    writer.mention(who, attribute, Wording::Predicate);
}

/// States one fact in one of its wordings.
fn state(writer: &mut Writer, who: &mut Character, attribute: Attribute, naming: &mut Naming) {
    let statements = attribute.wordings().statements;
    let introduced = *naming == Naming::One { introduced: true };
    let usable = |template: &str| names_subject(template) || introduced;
    let weights: Vec<u32> = statements
        .iter()
        .map(|(weight, template)| if usable(template) { *weight } else { 0 })
        .collect();
    let wording = writer.choose(&weights);
    writer.sentence(statements[wording].1, who, Some(attribute), naming);
    writer.mention(who, attribute, Wording::Statement(wording));
}

const OPENINGS: [&str; 8] = [
    "One morning {F} got up early.",
    "On a sunny day {F} went out.",
    "It was raining when {F} opened the door.",
    "On market day {F} was in a hurry.",
    "The bells rang, and {F} looked out of the window.",
    "{F} had a long day.",
    "After breakfast {F} took a walk.",
    "Yesterday {F} was happy.",
];
const FILLERS: [&str; 8] = [
    "The sun was shining.",
    "The wind was cold.",
    "{S} sang a song.",
    "There was snow on the roofs.",
    "Children played at the well.",
    "{S} was not in a hurry.",
    "Then it began to rain.",
    "The old clock struck three.",
];
const CLOSINGS: [&str; 6] = [
    "In the evening {s} was tired.",
    "Then {s} went home.",
    "That night {s} slept well.",
    "It was a good day for {N}.",
    "And so the day ended.",
    "{S} will not forget that day.",
];

fn day(writer: &mut Writer, world: &World) {
    let mut who = Character::Known(&world.people[writer.evenly(world.people.len())]);
    let mut naming = Naming::One { introduced: false };
    let template = writer.any(&OPENINGS);
    writer.sentence(template, &mut who, None, &mut naming);
    let mut open = Attribute::OF_PEOPLE.to_vec();
    for _ in 0..3 + writer.evenly(3) {
        match writer.choose(&[7, 1, 2]) {
            0 => event(writer, &mut who, &mut open, &mut naming),
            1 => shopping(writer, world, &mut who, &mut naming),
            _ => {
                let template = writer.any(&FILLERS);
                writer.sentence(template, &mut who, None, &mut naming);
            }
        }
    }
    let template = writer.any(&CLOSINGS);
    writer.sentence(template, &mut who, None, &mut naming);
}

/// Tells an event about a fact that is not told yet.
fn event(writer: &mut Writer, who: &mut Character, open: &mut Vec<Attribute>, naming: &mut Naming) {
    let attribute = take(writer, open);
    let events = attribute.wordings().events;
    let wording = writer.evenly(events.len());
    writer.sentence(events[wording], who, Some(attribute), naming);
    writer.mention(who, attribute, Wording::Event(wording));
}

fn shopping(writer: &mut Writer, world: &World, who: &mut Character, naming: &mut Naming) {
    let mut shop = Character::Shop(&world.shops[writer.evenly(world.shops.len())]);
    let mut fixed = Naming::Several;
    match writer.evenly(2) {
        0 => {
            writer.put("At");
            writer.sentence("{N} in {v}", &mut shop, Some(Attribute::Street), &mut fixed);
            writer.sentence("{s} bought", who, None, naming);
        }
        _ => {
            writer.sentence("{S} stopped at", who, None, naming);
            writer.sentence(
                "{N} in {v} and bought",
                &mut shop,
                Some(Attribute::Street),
                &mut fixed,
            );
        }
    }
    writer.sentence("{v}.", &mut shop, Some(Attribute::Goods), &mut fixed);
    writer.mention(&shop, Attribute::Street, Wording::Event(0));
    writer.mention(&shop, Attribute::Goods, Wording::Event(0));
}

const ARRIVALS: [(&str, &str); 3] = [
    ("Some travellers came to the village:", "."),
    (
        "At the well sat some strangers,",
        ", who were only passing through.",
    ),
    ("Over the bridge came", ", whom nobody knew."),
];
const MEMORIES: [&str; 3] = [
    "Everyone remembers that {F}",
    "In the evening we heard again that {F}",
    "Children still say that {F}",
];

/// People who pass through: the model must not remember them, but the text repeats facts about them, which teaches it
/// to read.
fn travellers(writer: &mut Writer, world: &World) {
    let count = 2 + writer.choose(&[3, 1]);
    let (opening, close) = ARRIVALS[writer.evenly(ARRIVALS.len())];
    writer.put(opening);
    let mut names = Vec::with_capacity(count);
    for position in 0..count {
        let Some(choices) = writer.choices() else {
            return;
        };
        let name = world.travellers.draw(choices, &names);
        names.push(name);
        writer.put(match position {
            0 => "",
            _ if position + 1 == count => "and",
            _ => ",",
        });
        writer.put(&name.to_string());
    }
    writer.put(close);
    let mut people: Vec<Character> = names
        .iter()
        .map(|&name| Character::drawn(world, &world.travellers, name))
        .collect();

    // At least one fact of each person, then some of them again.
    let mut stated: Vec<(usize, Attribute)> = Vec::new();
    for turn in 0..count + 1 + writer.evenly(2) {
        let person = if turn < count {
            turn
        } else {
            writer.evenly(count)
        };
        let mut open: Vec<Attribute> = Attribute::OF_PEOPLE
            .into_iter()
            .filter(|attribute| !stated.contains(&(person, *attribute)))
            .collect();
        let attribute = take(writer, &mut open);
        state(writer, &mut people[person], attribute, &mut Naming::Several);
        stated.push((person, attribute));
    }
    for _ in 0..2 + writer.evenly(2) {
        let (person, attribute) = stated.remove(writer.evenly(stated.len()));
        let opening = writer.any(&MEMORIES);
        writer.sentence(opening, &mut people[person], None, &mut Naming::Several);
        predicate(writer, &mut people[person], attribute, &mut Naming::Several);
        writer.put(".");
    }
}

const FAREWELLS: [&str; 3] = [
    "They talked until it was dark.",
    "Then each went home.",
    "They were glad to meet.",
];

fn meeting(writer: &mut Writer, world: &World) {
    let first = writer.evenly(world.people.len());
    let mut people = [
        Character::Known(&world.people[first]),
        Character::Known(&world.people[first]),
    ];
    writer.sentence("{F} met", &mut people[0], None, &mut Naming::Several);
    // Anybody but the first.
    let second = (first + 1 + writer.evenly(world.people.len() - 1)) % world.people.len();
    people[1] = Character::Known(&world.people[second]);
    writer.sentence("{F} in", &mut people[1], None, &mut Naming::Several);
    let streets = world.values_of(Attribute::Home);
    let street = streets[writer.evenly(streets.len())];
    writer.put(street);
    writer.put(".");
    let mut open = [Attribute::OF_PEOPLE.to_vec(), Attribute::OF_PEOPLE.to_vec()];
    for _ in 0..3 + writer.evenly(2) {
        let speaker = writer.evenly(2);
        let attribute = take(writer, &mut open[speaker]);
        state(
            writer,
            &mut people[speaker],
            attribute,
            &mut Naming::Several,
        );
    }
    let farewell = writer.any(&FAREWELLS);
    writer.put(farewell);
}

const CUSTOMERS: [&str; 4] = [
    "{F} often goes there.",
    "{F} was there yesterday.",
    "Nobody buys more than {F}.",
    "{F} never comes in.",
];

fn shop(writer: &mut Writer, world: &World) {
    let mut shop = Character::Shop(&world.shops[writer.evenly(world.shops.len())]);
    let mut naming = Naming::One { introduced: false };
    let mut open = Attribute::OF_SHOPS.to_vec();
    while !open.is_empty() {
        let attribute = take(writer, &mut open);
        state(writer, &mut shop, attribute, &mut naming);
    }
    for _ in 0..1 + writer.evenly(2) {
        let mut customer = Character::Known(&world.people[writer.evenly(world.people.len())]);
        let template = writer.any(&CUSTOMERS);
        writer.sentence(template, &mut customer, None, &mut Naming::Several);
        let mut open = Attribute::OF_PEOPLE.to_vec();
        let attribute = take(writer, &mut open);
        state(writer, &mut customer, attribute, &mut Naming::Several);
    }
}
