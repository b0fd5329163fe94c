//! Exported metrics in the programs that they are for: Python's reader of CSV, and TensorBoard.

use lab_orchestrator::export::{ExportFormat, ExportedRun, export};
use lab_protocol::MetricRecord;
use lab_tests::python::Python;
use serde_json::{Value, json};

const STEPS: usize = 10;

/// A run of ten steps whose loss is a tenth of the step.
fn run() -> ExportedRun {
    let record = |step: usize| -> MetricRecord {
        let values = json!({"loss": step as f64 / 10.0, "lr": 1e-3});
        let record = json!({"run": "a", "strategy": "narrow, \"quoted\"", "step": step,
            "timestamp": 1_700_000_000_000_u64 + step as u64, "values": values});
        lab_protocol::from_value(record).unwrap()
    };
    ExportedRun {
        name: "narrow".into(),
        result: None,
        records: (1..=STEPS).map(record).collect(),
    }
}

fn exported(format: ExportFormat) -> Vec<u8> {
    export("test", &[run()], format).unwrap().remove(0).bytes
}

#[test]
#[cfg_attr(
    not(python),
    ignore = "needs python3, or another interpreter in LAB_PYTHON"
)]
fn python_reads_the_table() {
    let script = "import csv, io, json, sys\n\
        rows = list(csv.DictReader(io.StringIO(json.load(sys.stdin))))\n\
        print(json.dumps([[row['strategy'], int(row['step']), float(row['loss'])] for row in rows]))";
    let csv = String::from_utf8(exported(ExportFormat::Csv)).unwrap();
    let read = Python::default().run(script, &json!(csv));
    let rows = (1..=STEPS).map(|step| json!(["narrow, \"quoted\"", step, step as f64 / 10.0]));
    assert_eq!(read, Value::Array(rows.collect()));
}

#[test]
#[cfg_attr(
    not(python = "tensorboard"),
    ignore = "needs tensorboard in LAB_PYTHON"
)]
fn tensorboard_reads_the_events() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.out.tfevents.0.lab");
    std::fs::write(file, exported(ExportFormat::Tensorboard)).unwrap();
    let script = "import json, sys\n\
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator\n\
        events = EventAccumulator(json.load(sys.stdin)); events.Reload()\n\
        print(json.dumps([[event.step, round(event.value, 6)] for event in events.Scalars('loss')]))";
    let read = Python::default().run(script, &json!(folder.path()));
    let points = (1..=STEPS).map(|step| json!([step, step as f64 / 10.0]));
    assert_eq!(read, Value::Array(points.collect()));
}
