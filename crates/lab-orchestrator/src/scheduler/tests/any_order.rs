use super::world::{World, plan};
use crate::scheduler::{Input, Key, Phase, Report};
use lab_protocol::{BackendChoice, ErrorCode};
use proptest::collection::vec;
use proptest::prelude::*;

/// An event. Numbers choose among the things that exist at that moment.
#[derive(Clone, Debug)]
enum Happening {
    Ready(usize),
    Started(usize),
    Checkpoint(usize),
    Paused(usize),
    Resumed(usize),
    Finished(usize, bool),
    Failed(usize, ErrorCode),
    Lost(usize),
    Pause,
    Resume,
    Step,
    Stop,
    Cancel(Key),
    UseBackend(BackendChoice),
    Accept,
    RunAgain,
}

fn happening() -> impl Strategy<Value = Happening> {
    use Happening::*;
    let number = || 0..8usize;
    let codes = prop_oneof![
        Just(ErrorCode::NonFinite),
        Just(ErrorCode::DeviceLost),
        Just(ErrorCode::OutOfMemory)
    ];
    let backends = prop_oneof![Just(BackendChoice::Cpu), Just(BackendChoice::Wgpu)];
    prop_oneof![
        6 => number().prop_map(Ready),
        6 => number().prop_map(Started),
        3 => number().prop_map(Checkpoint),
        2 => number().prop_map(Paused),
        2 => number().prop_map(Resumed),
        6 => (number(), any::<bool>()).prop_map(|(place, model)| Finished(place, model)),
        2 => (number(), codes).prop_map(|(place, code)| Failed(place, code)),
        2 => number().prop_map(Lost),
        1 => Just(Pause),
        1 => Just(Resume),
        1 => Just(Step),
        1 => Just(Stop),
        1 => (0..6usize).prop_map(Cancel),
        1 => backends.prop_map(UseBackend),
        2 => Just(Accept),
        1 => Just(RunAgain),
    ]
}

/// Up to six strategies, each without a base or with an earlier one.
fn graphs() -> impl Strategy<Value = Vec<Option<Key>>> {
    vec(any::<u8>(), 1..6).prop_map(|choices| {
        let base = |(key, choice): (usize, &u8)| {
            let place = usize::from(*choice) % (key + 1);
            (place < key).then_some(place)
        };
        choices.iter().enumerate().map(base).collect()
    })
}

fn happen(world: &mut World, graph: &[Option<Key>], what: Happening) {
    let running = world.running();
    let pick = |place: usize| running.get(place % running.len().max(1)).copied();
    let executors: Vec<_> = world.executors.keys().copied().collect();
    let executor = |place: usize| executors.get(place % executors.len().max(1)).copied();
    match what {
        Happening::Ready(place) => {
            if let Some(id) = executor(place).filter(|id| !world.executors[id].is_ready) {
                world.ready(id);
            }
        }
        Happening::Lost(place) => {
            if let Some(id) = executor(place) {
                world.lose(id, ErrorCode::Internal);
            }
        }
        Happening::Pause => world.tell(Input::Pause),
        Happening::Resume => world.tell(Input::Resume),
        Happening::Step => world.tell(Input::Step),
        Happening::Stop => {
            world.tell(Input::Stop);
            let phases = world.phases_of(0..graph.len());
            assert!(!phases.contains(&Phase::Waiting), "a stop ends everything");
        }
        Happening::Cancel(key) => world.tell(Input::Cancel(key)),
        Happening::UseBackend(backend) => world.tell(Input::UseBackend(backend)),
        Happening::Accept => {
            if let Some(offer) = world.offers.first().copied() {
                world.tell(offer.accept());
            }
        }
        Happening::RunAgain => world.tell(Input::Run(plan(graph))),
        Happening::Started(place)
        | Happening::Checkpoint(place)
        | Happening::Paused(place)
        | Happening::Resumed(place)
        | Happening::Finished(place, _)
        | Happening::Failed(place, _) => {
            let Some(key) = pick(place) else { return };
            let is_started = world.of(key).is_some_and(|(_, running)| running.is_started);
            match what {
                Happening::Started(_) if !is_started => world.report(key, Report::Started),
                Happening::Failed(_, code) => world.fail(key, code),
                _ if !is_started => {}
                Happening::Checkpoint(step) => world.report(key, Report::Checkpoint { step }),
                Happening::Paused(_) => world.report(key, Report::Paused),
                Happening::Resumed(_) => world.report(key, Report::Resumed),
                Happening::Finished(_, has_model) => {
                    world.report(key, Report::Finished { has_model });
                }
                _ => {}
            }
        }
    }
}

proptest! {
    /// For events in any order, `World` checks that nothing starts before its base, that at most as many run as
    /// allowed, and that nothing is sent to a dead executor. In the end every strategy is in one final phase.
    #[test]
    fn everything_ends(graph in graphs(), limit in 1..4usize, script in vec(happening(), 0..60)) {
        let mut world = World::new(limit);
        world.tell(Input::Run(plan(&graph)));
        for what in script {
            happen(&mut world, &graph, what);
        }
        world.tell(Input::Resume);
        for _ in 0..10 * graph.len() {
            world.all_ready();
            for key in world.running() {
                if world.of(key).is_some() {
                    world.finish(key);
                }
            }
        }
        prop_assert!(!world.phase.is_active(), "{:?}", world.phases);
        for phase in world.phases_of(0..graph.len()) {
            let is_final = matches!(phase, Phase::Idle | Phase::Finished | Phase::Failed | Phase::Skipped);
            prop_assert!(is_final, "{phase:?}");
        }
        let beside = world.executors.values().filter(|executor| !executor.is_main).count();
        prop_assert_eq!(beside, 0, "executors with nothing left to do");
    }

    /// A stop leaves only ends: nothing starts any more.
    #[test]
    fn nothing_starts_after_a_stop(graph in graphs(), limit in 1..4usize, script in vec(happening(), 0..40)) {
        let mut world = World::new(limit);
        world.tell(Input::Run(plan(&graph)));
        for what in script {
            happen(&mut world, &graph, what);
        }
        world.tell(Input::Stop);
        let starts = world.starts.len();
        world.all_ready();
        for key in world.running() {
            world.finish(key);
        }
        world.all_ready();
        prop_assert_eq!(world.starts.len(), starts);
        prop_assert!(!world.phase.is_active());
    }

    /// The failures decide which strategies finish, fail and are skipped; the order of endings does not.
    #[test]
    fn the_order_of_endings_changes_no_outcome(
        graph in graphs(), limit in 1..4usize, failing in vec(any::<bool>(), 6), order in vec(0..8usize, 60)
    ) {
        let mut world = World::new(limit);
        world.tell(Input::Run(plan(&graph)));
        for place in order {
            world.all_ready();
            let running = world.running();
            if let Some(key) = running.get(place % running.len().max(1)).copied() {
                match failing[key] {
                    true => world.fail(key, ErrorCode::NonFinite),
                    false => world.finish(key),
                }
            }
        }
        let mut expected: Vec<Phase> = Vec::new();
        for (key, base) in graph.iter().enumerate() {
            expected.push(match base {
                Some(base) if expected[*base] != Phase::Finished => Phase::Skipped,
                _ if failing[key] => Phase::Failed,
                _ => Phase::Finished,
            });
        }
        prop_assert_eq!(world.phases_of(0..graph.len()), expected);
        prop_assert_eq!(world.starts.len(), world.models.len() + world.errors.len(), "each is started once");
    }
}
