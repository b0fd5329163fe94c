//! Questions with passages that contain the answer. The passages are about people who exist nowhere else and have
//! other facts each time they appear, so the model learns to read, not to remember. Some passages do not contain the
//! answer; then the right answer is that it is not known.

use super::instructions::Pair;
use super::question::{Question, QuestionKind};
use super::style::{Style, StyleMix};
use crate::choices::Choices;
use crate::language::stories;
use crate::language::windows::Windows;
use crate::language::writer::Writer;
use crate::random::{Purpose, Random};
use crate::world::attribute::Attribute;
use crate::world::character::Character;
use crate::world::names::{Name, NamePool};
use crate::world::population::World;
use crate::world::settings::{VillageSettings, thousandths};

/// Pairs none of whose passages has a run of words in common with held-out text.
pub(crate) fn training_pairs(
    settings: &VillageSettings,
    world: &World,
    held_out: &Windows,
) -> Vec<Pair> {
    let mut random = Random::new(settings.seed, Purpose::Reading);
    let mut pairs = Vec::with_capacity(settings.reading_pairs);
    while pairs.len() < settings.reading_pairs {
        let id = format!("reading-{:05}", pairs.len());
        let question = draw(settings, world, &world.readers, &mut random, id);
        let style = Style::draw(&mut Choices::drawn(&mut random), StyleMix::INSTRUCTIONS);
        if !question
            .passages
            .iter()
            .any(|passage| held_out.occur_in(passage))
        {
            pairs.push(Pair {
                response: style.answer(&question),
                question,
            });
        }
    }
    pairs
}

/// Test questions, about people who are in no training text.
pub(crate) fn held_out_questions(settings: &VillageSettings, world: &World) -> Vec<Question> {
    let mut random = Random::new(settings.seed, Purpose::HeldOutReading);
    (0..settings.judged_reading)
        .map(|number| {
            let id = format!("judged-reading-{number:05}");
            draw(settings, world, &world.held_out_readers, &mut random, id)
        })
        .collect()
}

fn draw(
    settings: &VillageSettings,
    world: &World,
    pool: &NamePool,
    random: &mut Random,
    id: String,
) -> Question {
    let unknown = random.chance(thousandths(settings.unknown_share));
    let count = 1 + random.index(settings.passages);
    let attribute = *random.pick(&Attribute::OF_PEOPLE);
    let wording = random.index(attribute.wordings().questions.len());
    let asked = pool.draw(&mut Choices::drawn(random), &[]);
    // The passages lack the answer: they state another fact about the person, or nothing about the person.
    let absent = unknown && random.chance(500);

    let mut who = Character::drawn(world, pool, asked);
    let mut passages = Vec::with_capacity(count);
    if !absent {
        for about in own_passages(random, attribute, unknown, count) {
            passages.push(passage(random, &mut who, about));
        }
    }
    let answer = (!unknown).then(|| who.value(attribute, &mut Choices::drawn(random)));
    let mut names = vec![asked];
    while passages.len() < count {
        let name = another(settings, pool, random, asked, &names);
        names.push(name);
        let mut all = Attribute::OF_PEOPLE.to_vec();
        random.shuffle(&mut all);
        all.truncate(2 + random.index(3));
        passages.push(passage(
            random,
            &mut Character::drawn(world, pool, name),
            all,
        ));
    }
    random.shuffle(&mut passages);
    let kind = if unknown {
        QuestionKind::Unknown
    } else {
        QuestionKind::Reading
    };
    let question = Question::new(id, kind, attribute, wording, asked.to_string(), answer);
    Question {
        passages,
        ..question
    }
}

/// Another person; now and then one who is easily confused with the person asked about.
fn another(
    settings: &VillageSettings,
    pool: &NamePool,
    random: &mut Random,
    asked: Name,
    taken: &[Name],
) -> Name {
    let alike = random.chance(thousandths(settings.confusable));
    let mut choices = Choices::drawn(random);
    if alike && let Some(name) = pool.draw_like(&mut choices, asked, taken) {
        return name;
    }
    pool.draw(&mut choices, taken)
}

/// The attributes that the passages about the right person tell: two to four, including the one asked for unless it
/// is unknown, and now and then a second passage with others.
fn own_passages(
    random: &mut Random,
    asked: Attribute,
    unknown: bool,
    count: usize,
) -> Vec<Vec<Attribute>> {
    let mut others: Vec<Attribute> = Attribute::OF_PEOPLE
        .into_iter()
        .filter(|attribute| *attribute != asked)
        .collect();
    random.shuffle(&mut others);
    let second = (count > 1 && random.chance(500))
        .then(|| others.split_off(others.len() - 2 - random.index(2)));
    others.truncate(2 + random.index(3));
    if !unknown {
        others[0] = asked;
    }
    std::iter::once(others).chain(second).collect()
}

/// A passage that tells these attributes of `who`.
pub(crate) fn passage(random: &mut Random, who: &mut Character, about: Vec<Attribute>) -> String {
    let mut writer = Writer::new(Choices::drawn(random));
    let count = about.len();
    stories::describe(&mut writer, who, about, count);
    writer.finish().0
}
