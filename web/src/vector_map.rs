//! The vectors of an index in two dimensions, and the way of the last search through them.

use crate::format::count;
use crate::lab::use_lab;
use lab_protocol::{Grounds, VectorMap};
use leptos::prelude::*;

/// Width and height of the picture, in its own units, and the room at its edges.
const SIZE: [f32; 2] = [640.0, 400.0];
const EDGE: f32 = 14.0;

#[component]
pub fn VectorMapCard() -> impl IntoView {
    let lab = use_lab();
    let map = Memo::new(move |_| lab.shown().and_then(|form| form.run.map.get()));
    // The last answer that was sought by vectors.
    let last = Memo::new(move |_| {
        let samples = lab.shown()?.run.samples.get();
        let mut sought = samples.into_iter().filter(|sample| {
            let grounds = sample.grounds.as_ref();
            grounds.is_some_and(|grounds| grounds.search.is_some())
        });
        let sample = sought.next()?;
        Some((sample.prompt, sample.grounds?))
    });
    move || {
        map.get().map(|map| {
            view! {
                <section class="card vector-map" aria-labelledby="map-title">
                    <h2 id="map-title">"Vectors"</h2>
                    <p class="muted">{description(&map, last.get().as_ref())}</p>
                    <Picture map last=last.get().map(|(_, grounds)| grounds)/>
                </section>
            }
        })
    }
}

/// Describes the picture in words.
fn description(map: &VectorMap, last: Option<&(String, Grounds)>) -> String {
    let points = format!(
        "{} chunks along the two directions in which their vectors differ most.",
        count(map.points.len())
    );
    let Some((question, grounds)) = last else {
        return points;
    };
    let steps = grounds
        .search
        .as_ref()
        .map_or(0, |search| search.steps.len());
    let way = if steps == 0 {
        "every vector was looked at".to_owned()
    } else {
        format!("the search went over {} vectors", count(steps))
    };
    format!("{points} For “{}” {way}.", question.trim())
}

#[component]
fn Picture(map: VectorMap, last: Option<Grounds>) -> impl IntoView {
    let search = last.as_ref().and_then(|grounds| grounds.search.clone());
    let used: Vec<([f32; 2], bool)> = last
        .iter()
        .flat_map(|grounds| &grounds.passages)
        .filter_map(|passage| Some((passage.place?, passage.cited)))
        .collect();
    let query = search.as_ref().map(|search| search.query);
    let all = map.points.iter().map(|point| point.place).chain(query);
    let at = scale(all);
    let dots: Vec<_> = map
        .points
        .iter()
        .map(|point| {
            let [x, y] = at(point.place);
            view! { <circle cx=x cy=y r="2.5"><title>{point.document.clone()}</title></circle> }
        })
        .collect();
    let way: Vec<String> = search
        .iter()
        .flat_map(|search| &search.steps)
        .map(|place| {
            let [x, y] = at(*place);
            format!("{x:.1},{y:.1}")
        })
        .collect();
    let lines = query.map(|query| {
        let [x1, y1] = at(query);
        let line = |(place, _): &([f32; 2], bool)| {
            let [x2, y2] = at(*place);
            view! { <line x1=x1 y1=y1 x2=x2 y2=y2/> }
        };
        used.iter().map(line).collect::<Vec<_>>()
    });
    let found: Vec<_> = used
        .iter()
        .map(|(place, cited)| {
            let [x, y] = at(*place);
            view! { <circle cx=x cy=y r="5" class:cited=*cited/> }
        })
        .collect();
    let asked = query.map(|query| {
        let [x, y] = at(query);
        view! { <path class="map-query" d=format!("M {x} {} l 7 12 h -14 z", y - 8.0)/> }
    });
    view! {
        <svg viewBox=format!("0 0 {} {}", SIZE[0], SIZE[1]) role="img" aria-label="Vectors in two dimensions">
            <g class="map-points">{dots}</g>
            <polyline class="map-way" points=way.join(" ")/>
            <g class="map-lines">{lines}</g>
            <g class="map-found">{found}</g>
            {asked}
        </svg>
        <ul class="map-key">
            <li><span class="key-dot"></span>"a chunk"</li>
            <li><span class="key-found"></span>"used for the answer"</li>
            <li><span class="key-query"></span>"the question"</li>
        </ul>
    }
}

/// From places in the plane to places in the picture.
fn scale(places: impl Iterator<Item = [f32; 2]>) -> impl Fn([f32; 2]) -> [f32; 2] {
    let (mut low, mut high) = ([f32::MAX; 2], [f32::MIN; 2]);
    for place in places {
        for axis in 0..2 {
            low[axis] = low[axis].min(place[axis]);
            high[axis] = high[axis].max(place[axis]);
        }
    }
    move |place| {
        std::array::from_fn(|axis| {
            let range = (high[axis] - low[axis]).max(f32::MIN_POSITIVE);
            EDGE + (place[axis] - low[axis]) / range * (SIZE[axis] - 2.0 * EDGE)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_places_lie_in_the_picture() {
        let places = [[-1.0, 5.0], [3.0, 5.0], [0.0, 5.0]];
        let at = scale(places.into_iter());
        assert_eq!(at(places[0])[0], EDGE);
        assert_eq!(at(places[1])[0], SIZE[0] - EDGE);
        // If all lie on a line there is no second direction.
        assert!(places.iter().all(|place| at(*place)[1] == EDGE));
    }
}
