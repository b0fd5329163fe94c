//! The task of retrieval: documents about new people, questions that they answer, and the relevance of each
//! document to each question.

use super::question::{Question, QuestionKind};
use super::reading::passage;
use crate::random::{Purpose, Random};
use crate::world::attribute::Attribute;
use crate::world::character::Character;
use crate::world::population::World;
use crate::world::settings::VillageSettings;
use serde::{Deserialize, Serialize};

/// Relevance of a document that holds the answer.
pub const ANSWERS: u32 = 2;
/// Relevance of a document about the right person that does not.
pub const RELATED: u32 = 1;

/// A short text about one new person. Each has two, and between them they tell everything once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    pub id: String,
    pub text: String,
    pub subject: String,
    /// The attributes that it states.
    pub attributes: Vec<Attribute>,
}

/// The relevance of a document to a question; 0 is not listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relevance {
    pub question: String,
    pub document: String,
    pub grade: u32,
}

/// The documents, the questions and their relevance to one another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Library {
    pub documents: Vec<Document>,
    pub questions: Vec<Question>,
    pub relevance: Vec<Relevance>,
}

impl Library {
    pub(crate) fn new(settings: &VillageSettings, world: &World) -> Self {
        let mut library = Self {
            documents: documents(settings, world),
            ..Self::default()
        };
        let mut random = Random::new(settings.seed, Purpose::Queries);
        for (number, person) in world.newcomers.iter().enumerate() {
            let mut attributes = Attribute::OF_PEOPLE;
            random.shuffle(&mut attributes);
            for &attribute in &attributes[..settings.questions_per_new_person] {
                let id = format!("new-{number:04}-{}", attribute.name());
                let wording = random.index(attribute.wordings().questions.len());
                let answer = Some(person.value(attribute).to_owned());
                let subject = person.name.to_string();
                let question = Question::new(
                    id,
                    QuestionKind::NewPerson,
                    attribute,
                    wording,
                    subject,
                    answer,
                );
                library.grade(&question);
                library.questions.push(question);
            }
        }
        library
    }

    /// Adds the relevance of the documents to a question.
    fn grade(&mut self, question: &Question) {
        let own = self
            .documents
            .iter()
            .filter(|document| document.subject == question.subject);
        let graded = own.map(|document| Relevance {
            question: question.id.clone(),
            document: document.id.clone(),
            grade: if document.attributes.contains(&question.attribute) {
                ANSWERS
            } else {
                RELATED
            },
        });
        self.relevance.extend(graded);
    }
}

fn documents(settings: &VillageSettings, world: &World) -> Vec<Document> {
    let mut random = Random::new(settings.seed, Purpose::Newcomers);
    let mut documents = Vec::with_capacity(2 * world.newcomers.len());
    for (number, person) in world.newcomers.iter().enumerate() {
        let mut attributes = Attribute::OF_PEOPLE;
        random.shuffle(&mut attributes);
        let (first, second) = attributes.split_at(3 + random.index(2));
        for (part, about) in [first, second].into_iter().enumerate() {
            let text = passage(&mut random, &mut Character::Known(person), about.to_vec());
            let mut attributes = about.to_vec();
            attributes.sort();
            documents.push(Document {
                id: format!("doc-{number:04}-{part}"),
                text,
                subject: person.name.to_string(),
                attributes,
            });
        }
    }
    // Random order, as documents are found in practice, not by person.
    random.shuffle(&mut documents);
    documents
}
