//! The page that a teacher can hand out, in Markdown.

use crate::language::windows::WINDOW;
use crate::tasks::question::QuestionKind;
use crate::tasks::reward::{LONG, SHORT};
use crate::tasks::style::{CLOSERS, OPENERS};
use crate::village::Village;
use crate::world::attribute::Attribute;

/// Number of people whom the page introduces by name; the rest are in `world.json`.
const INTRODUCED: usize = 24;

impl Village {
    /// A page about this village that a teacher can hand out, in Markdown.
    pub fn handout(&self) -> String {
        handout(self)
    }
}

fn handout(village: &Village) -> String {
    let mut page = Page::default();
    introduction(&mut page, village);
    residents(&mut page, village);
    texts(&mut page, village);
    questions(&mut page, village);
    manners(&mut page, village);
    strategies(&mut page, village);
    page.0
}

/// Markdown in the making.
#[derive(Default)]
struct Page(String);

impl Page {
    fn paragraph(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push_str("\n\n");
    }

    fn table(&mut self, head: &[&str], rows: impl Iterator<Item = Vec<String>>) {
        self.0.push_str(&format!(
            "| {} |\n|{}\n",
            head.join(" | "),
            " --- |".repeat(head.len())
        ));
        for row in rows {
            self.0.push_str(&format!("| {} |\n", row.join(" | ")));
        }
        self.0.push('\n');
    }

    fn quote(&mut self, text: &str) {
        for line in text.lines() {
            self.0.push_str(&format!("> {line}  \n"));
        }
        self.0.push('\n');
    }
}

fn introduction(page: &mut Page, village: &Village) {
    let settings = &village.settings;
    page.paragraph(&format!(
        "# The {} of seed {}",
        settings.preset.name(),
        settings.seed
    ));
    page.paragraph(
        "A small world in which everything is known: who lives where, who keeps which animal, who is whose best friend. \
         Language models are trained on texts about it and asked questions about it, so that what each way of training \
         does is a number and not an impression. Nobody in it is real.",
    );
}

fn residents(page: &mut Page, village: &Village) {
    let world = &village.world;
    page.paragraph("## Who lives there");
    page.paragraph(&format!(
        "{} people and {} shops. Everyone has a home, a pet, a trade, a favourite food and colour, a best friend and a \
         season of birth; a shop stands in a street and sells one thing.{}",
        world.people.len(),
        world.shops.len(),
        if world.people.len() > INTRODUCED { " Some of them:" } else { "" },
    ));
    let head = [
        "Name",
        "Home",
        "Pet",
        "Trade",
        "Food",
        "Colour",
        "Best friend",
        "Born in",
    ];
    page.table(
        &head,
        world.people.iter().take(INTRODUCED).map(|person| {
            let values = Attribute::OF_PEOPLE.map(|attribute| person.value(attribute).to_owned());
            std::iter::once(person.name.to_string())
                .chain(values)
                .collect()
        }),
    );
    page.table(
        &["Shop", "Street", "Sells"],
        world.shops.iter().map(|shop| {
            vec![
                shop.full_name(),
                shop.street.to_owned(),
                shop.goods.to_owned(),
            ]
        }),
    );
}

fn texts(page: &mut Page, village: &Village) {
    let (text, floor, coverage) = (&village.pretraining, village.floor(), village.coverage());
    page.paragraph("## What is read: pretraining");
    page.paragraph(&format!(
        "{} short texts. They state each of the {} facts at least {} times and in at least {} wordings, for what is only \
         ever said in one way cannot be used in another. For example:",
        text.training.len(),
        coverage.facts,
        coverage.min_times,
        coverage.min_wordings,
    ));
    for document in text.training.iter().take(4) {
        page.quote(document);
    }
    page.paragraph(&format!(
        "{} more texts are held out to measure the loss. No run of {WINDOW} words of them occurs in anything that is \
         trained. Because the village's grammar is known, so is the best possible loss on them: **{:.4} nats a word token**, \
         {:.4} nats a word, {:.4} nats a character. No model that has not seen them can do better for long; the distance to \
         this floor is what there is still to learn. (Words, punctuation marks and line ends are a token each here; another \
         tokenizer's floor is {:.1} nats divided by the tokens that it makes of the held-out text.)",
        floor.documents,
        floor.nats_per_token(),
        floor.nats_per_word(),
        floor.nats_per_character(),
        floor.nats,
    ));
}

fn questions(page: &mut Page, village: &Village) {
    page.paragraph("## What is asked");
    let trained = village.instructions.len();
    let count = |kind: QuestionKind| {
        village
            .held_out_questions()
            .filter(|question| question.kind == kind)
            .count()
    };
    page.paragraph(&format!(
        "{trained} questions with answers are for training. Other questions are for judging:"
    ));
    let rows = [
        (
            QuestionKind::UnseenPerson,
            "about people of whom no question was ever trained, though texts speak of them",
        ),
        (
            QuestionKind::UnseenQuestion,
            "about people of whom other questions were trained, but not this one",
        ),
        (
            QuestionKind::Reading,
            "the answer stands in passages before the question, about people who exist nowhere else",
        ),
        (
            QuestionKind::Unknown,
            "the passages do not say; right is \"I do not know.\"",
        ),
        (
            QuestionKind::NewPerson,
            "about people whom only the documents describe; the passages have to be found first",
        ),
    ];
    page.table(
        &["Kind", "Questions", "What it asks"],
        rows.iter().map(|(kind, text)| {
            vec![
                kind.name().to_owned(),
                count(*kind).to_string(),
                (*text).to_owned(),
            ]
        }),
    );
    for question in [village.questions.first(), village.reading.first()]
        .into_iter()
        .flatten()
    {
        page.quote(&format!(
            "{}**{}**",
            question.prompt(),
            question.reference()
        ));
    }
    page.paragraph(
        "An answer is right if, without its manners, capitals, punctuation and articles, it is the value asked for or a \
         sentence that states it. Guessing brings little:",
    );
    let share = |value: f64| format!("{value:.3}");
    page.table(
        &[
            "Kind",
            "About",
            "Questions",
            "Answers to choose from",
            "By chance",
            "Always the most common",
        ],
        village.baselines().iter().map(|baseline| {
            vec![
                baseline.kind.name().to_owned(),
                baseline.attribute.name().to_owned(),
                baseline.questions.to_string(),
                baseline.values.to_string(),
                share(baseline.chance),
                share(baseline.majority),
            ]
        }),
    );
}

fn manners(page: &mut Page, village: &Village) {
    page.paragraph("## What is liked: alignment");
    page.paragraph(&format!(
        "The true reward is the mean of four parts, each from 0 to 1: a whole sentence; a polite beginning ({}); a cheerful \
         close ({}); and brevity, 1 up to {SHORT} words and 0 from {LONG} words on. It judges the manner, not the truth. \
         {} pairs of answers are for training, {} for judging; in {:.0} of a hundred the worse answer was preferred, by \
         mistake.",
        OPENERS.join(" "),
        CLOSERS.join(" "),
        village.preferences.len(),
        village.held_out_preferences.len(),
        village.settings.preference_noise * 100.0,
    ));
    page.table(
        &["Question", "Preferred", "Not preferred", "Rewards"],
        village.preferences.iter().take(3).map(|pair| {
            vec![
                pair.question.text.clone(),
                pair.chosen.clone(),
                pair.rejected.clone(),
                format!("{:.2}, {:.2}", pair.chosen_reward, pair.rejected_reward),
            ]
        }),
    );
}

fn strategies(page: &mut Page, village: &Village) {
    let library = &village.library;
    page.paragraph("## What each strategy can and cannot know");
    page.paragraph(&format!(
        "Pretraining reads the texts and learns the facts, but never saw a question. Fine-tuning shows it how questions are \
         answered; it can then tell what it read, also of people it was never asked about. Alignment changes how answers are \
         given, not what is known. Of the {} new people none of the three has heard; their {} documents are given to \
         retrieval alone.",
        village.world.newcomers.len(),
        library.documents.len(),
    ));
    page.table(
        &["Strategy", "Measure", "Best reachable", "Because"],
        village.ceilings().iter().map(|ceiling| {
            vec![
                ceiling.strategy.to_owned(),
                ceiling.measure.to_owned(),
                format!("{:.3}", ceiling.best),
                ceiling.why.to_owned(),
            ]
        }),
    );
    page.paragraph("## To think about");
    page.0.push_str(
        "1. Which of the texts above would still be understood if every name in it were exchanged for another?\n\
         2. A model answers \"I do not know\" to everything. Which numbers become better, which worse?\n\
         3. The reward does not ask for the truth. What could a model do that only wants reward, and what holds it back?\n\
         4. Two villagers share a first name. What must a model learn so as not to confuse them?\n",
    );
}
