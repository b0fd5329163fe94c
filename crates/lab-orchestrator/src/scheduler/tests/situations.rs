use super::world::{World, error, plan};
use crate::scheduler::Phase::*;
use crate::scheduler::{Action, Input, Offer, Report, RunCommand};
use lab_protocol::{BackendChoice, ErrorCode};

/// 1 and 2 start from 0, 3 from 1; 4 starts from nothing.
const GRAPH: [Option<usize>; 5] = [None, Some(0), Some(0), Some(1), None];

fn begun(limit: usize) -> World {
    let mut world = World::new(limit);
    world.all_ready();
    world.tell(Input::Run(plan(&GRAPH)));
    world.all_ready();
    world
}

#[test]
fn each_strategy_starts_after_its_base_and_as_many_at_a_time_as_allowed() {
    let mut world = begun(2);
    assert_eq!(world.running(), [0, 4]);
    assert_eq!(
        world.phases_of(0..5),
        [Starting, Waiting, Waiting, Waiting, Starting]
    );
    world.report(0, Report::Started);
    assert_eq!(
        (world.phases_of([0]), world.phase),
        (vec![Running], Running)
    );
    world.finish(0);
    assert_eq!(
        world.running(),
        [1, 4],
        "the executor goes on with the next"
    );
    world.finish(4);
    world.all_ready();
    world.finish(1);
    world.finish(2);
    world.finish(3);
    assert_eq!(world.phases_of(0..5), [Finished; 5]);
    assert_eq!(world.phase, Finished);
    assert_eq!(world.executors.len(), 1, "the main one stands by");
}

#[test]
fn a_failure_skips_what_starts_from_it_and_nothing_else() {
    let mut world = begun(1);
    world.finish(0);
    world.fail(1, ErrorCode::NonFinite);
    assert_eq!(
        world.phases_of(0..5),
        [Finished, Failed, Starting, Skipped, Waiting]
    );
    world.finish(2);
    world.finish(4);
    assert_eq!(world.phase, Failed);
    assert_eq!(world.errors, [(Some(1), ErrorCode::NonFinite)]);
    assert_eq!(world.offers, []);
}

#[test]
fn a_run_without_a_model_skips_what_starts_from_it() {
    let mut world = begun(1);
    world.report(0, Report::Finished { has_model: false });
    assert_eq!(
        world.phases_of(0..5),
        [Finished, Skipped, Skipped, Skipped, Starting]
    );
}

#[test]
fn a_pause_holds_everything_and_a_step_moves_it() {
    let mut world = begun(2);
    world.report(0, Report::Started);
    world.tell(Input::Pause);
    assert_eq!(world.phases_of([0, 4]), [Pausing, Starting]);
    world.report(0, Report::Paused);
    world.report(4, Report::Started);
    assert_eq!(
        world.phases_of([4]),
        [Pausing],
        "what starts meanwhile is paused"
    );
    world.report(4, Report::Paused);
    assert_eq!(world.phase, Paused);
    world.tell(Input::Step);
    world.report(0, Report::Paused);
    world.finish(0);
    assert_eq!(
        world.phases_of(0..5),
        [Finished, Waiting, Waiting, Waiting, Paused]
    );
    world.tell(Input::Resume);
    assert_eq!(world.phases_of([1]), [Starting]);
    world.report(4, Report::Resumed);
    assert_eq!(world.phases_of([4]), [Running]);
    let commands = [
        (0, RunCommand::Pause),
        (4, RunCommand::Pause),
        (0, RunCommand::Step),
        (4, RunCommand::Step),
        (4, RunCommand::Resume),
    ];
    assert_eq!(world.commands, commands);
}

#[test]
fn a_stop_ends_what_runs_and_forgets_what_waits() {
    let mut world = begun(2);
    world.report(0, Report::Started);
    world.tell(Input::Stop);
    world.tell(Input::Stop);
    assert_eq!(
        world.phases_of(0..5),
        [Stopping, Idle, Idle, Idle, Stopping]
    );
    assert_eq!(world.commands.len(), 2, "each is told once");
    world.report(0, Report::Paused);
    assert_eq!(world.phases_of([0]), [Stopping]);
    world.finish(0);
    world.finish(4);
    assert_eq!((world.phase, world.starts.len()), (Finished, 2));
}

#[test]
fn a_stop_before_anything_began_leaves_nothing() {
    let mut world = World::new(2);
    world.tell(Input::Run(plan(&GRAPH)));
    assert_eq!(world.phase, Starting, "the device is still being opened");
    world.tell(Input::Stop);
    assert_eq!((world.phases_of(0..5), world.phase), (vec![Idle; 5], Idle));
    world.all_ready();
    assert_eq!(world.starts, []);
}

#[test]
fn one_strategy_is_cancelled_and_the_others_go_on() {
    let mut world = begun(2);
    world.tell(Input::Cancel(1));
    assert_eq!(
        world.phases_of(0..5),
        [Starting, Idle, Waiting, Skipped, Starting]
    );
    world.tell(Input::Cancel(4));
    assert_eq!(world.commands, [(4, RunCommand::Stop)]);
    world.finish(0);
    assert_eq!(world.phases_of([2, 4]), [Starting, Stopping]);
}

#[test]
fn a_lost_executor_costs_its_run_which_continues_from_its_last_checkpoint() {
    let mut world = begun(2);
    let main = world.main();
    world.report(0, Report::Started);
    world.report(0, Report::Checkpoint { step: 5 });
    world.report(0, Report::Checkpoint { step: 10 });
    world.lose(main, ErrorCode::Internal);
    assert_eq!(
        world.phases_of(0..5),
        [Failed, Skipped, Skipped, Skipped, Starting]
    );
    let offer = Offer::Continue {
        strategy: 0,
        step: 10,
        backend: BackendChoice::Auto,
    };
    assert_eq!(
        world.offers,
        [offer],
        "it was on the CPU: there is no other device"
    );
    assert_ne!(world.main(), main, "another takes its place");
    world.tell(offer.accept());
    assert_eq!(world.phases_of(0..4), [Starting, Waiting, Waiting, Waiting]);
    world.all_ready();
    assert_eq!(world.starts.last(), Some(&(0, 1, Some(10))), "the same run");
    world.finish(0);
    assert_eq!(world.phases_of([0, 1, 4]), [Finished, Starting, Starting]);
}

#[test]
fn an_executor_beside_the_main_one_is_not_replaced() {
    let mut world = begun(2);
    let (id, _) = world.of(4).unwrap();
    world.report(4, Report::Checkpoint { step: 3 });
    world.lose(id, ErrorCode::Internal);
    assert_eq!(world.phases_of([0, 4]), [Starting, Failed]);
    assert!(matches!(
        world.offers[..],
        [Offer::Continue {
            strategy: 4,
            step: 3,
            ..
        }]
    ));
    assert_eq!(world.executors.len(), 1);
    world.tell(world.offers[0].accept());
    assert_eq!(world.executors.len(), 2, "a new one for it");
}

#[test]
fn a_device_that_is_lost_ends_its_executor_and_offers_the_cpu() {
    let mut world = World::new(1);
    world.tell(Input::UseBackend(BackendChoice::Wgpu));
    world.all_ready();
    world.tell(Input::Run(plan(&[None])));
    world.report(0, Report::Checkpoint { step: 7 });
    world.fail(0, ErrorCode::DeviceLost);
    let offer = |backend| Offer::Continue {
        strategy: 0,
        step: 7,
        backend,
    };
    let offers = [offer(BackendChoice::Wgpu), offer(BackendChoice::Cpu)];
    assert_eq!(world.offers, offers);
    world.all_ready();
    world.tell(offers[1].accept());
    world.all_ready();
    assert_eq!(world.executors[&world.main()].backend, BackendChoice::Cpu);
    assert_eq!(world.starts.last(), Some(&(0, 1, Some(7))));
}

#[test]
fn an_executor_that_never_was_ready_is_left_to_the_user() {
    let mut world = World::new(2);
    let main = world.main();
    world.tell(Input::Run(plan(&GRAPH)));
    world.lose(main, ErrorCode::Internal);
    assert_eq!(world.phases_of(0..5), [Failed, Idle, Idle, Idle, Idle]);
    assert_eq!((world.phase, world.executors.len()), (Failed, 0));
    let restart = |backend| Offer::Restart { backend };
    assert_eq!(
        world.offers,
        [restart(BackendChoice::Auto), restart(BackendChoice::Cpu)]
    );
    world.tell(Input::Run(plan(&GRAPH)));
    assert_eq!(world.executors.len(), 1, "Run opens it again");
}

#[test]
fn another_device_takes_the_run_over() {
    let mut world = begun(1);
    world.report(0, Report::Started);
    world.report(0, Report::Checkpoint { step: 4 });
    world.tell(Input::UseBackend(BackendChoice::Cpu));
    world.all_ready();
    assert_eq!(world.starts, [(0, 1, None), (0, 1, Some(4))]);
}

#[test]
fn results_that_were_kept_are_started_from() {
    let mut world = World::new(1);
    world.all_ready();
    world.models.insert(0);
    world.tell(Input::Loaded {
        strategy: 0,
        run: Some(7),
        has_model: true,
    });
    assert_eq!(
        (world.phases_of([0]), world.phase),
        (vec![Finished], Finished)
    );
    let (_, after) = plan(&[None, Some(0)])
        .split_first()
        .map(|(a, b)| (*a, b.to_vec()))
        .unwrap();
    world.tell(Input::Run(after.clone()));
    assert_eq!(world.starts, [(1, 8, None)], "numbers are not used twice");
    world.finish(1);
    world.tell(Input::Unloaded(0));
    world.tell(Input::Run(after));
    assert_eq!(world.phases_of([0, 1]), [Idle, Skipped]);
    world.tell(Input::Forget);
    assert_eq!(world.scheduler.phase(), Idle);
}

#[test]
fn reports_of_what_is_over_change_nothing() {
    let mut world = begun(1);
    let (executor, running) = world.of(0).unwrap();
    world.finish(0);
    let late = |run, report| Input::Report {
        executor,
        run,
        report,
    };
    let failed = || Report::Failed(error(ErrorCode::InvalidCommand));
    assert_eq!(world.scheduler.handle(late(running.run, failed())), []);
    world.lose(executor, ErrorCode::Internal);
    assert_eq!(world.scheduler.handle(late(2, failed())), []);
    let lost = Input::Lost {
        executor,
        error: error(ErrorCode::Internal),
    };
    assert_eq!(world.scheduler.handle(lost), []);
}

#[test]
fn a_circle_is_skipped() {
    let mut world = World::new(1);
    world.all_ready();
    world.tell(Input::Run(plan(&[Some(1), Some(0)])));
    assert_eq!(world.phases_of(0..2), [Skipped, Skipped]);
}

#[test]
fn state_is_told_before_executors_work() {
    let mut world = World::new(1);
    world.all_ready();
    let actions = world.scheduler.handle(Input::Run(plan(&[None])));
    assert!(matches!(
        actions[..],
        [
            Action::Changed { .. },
            Action::ExperimentChanged(Starting),
            Action::Start { .. }
        ]
    ));
}
