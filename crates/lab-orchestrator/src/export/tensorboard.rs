//! Metrics as a TensorBoard event file: TFRecords of `tensorflow.Event` messages. Layouts:
//! tensorflow/core/lib/io/record_writer.h, tensorflow/core/util/event.proto, framework/summary.proto.

use crc32c::crc32c;
use lab_protocol::MetricRecord;

/// The file's bytes; TensorBoard wants its name to contain `tfevents`.
pub fn tensorboard_events(records: &[MetricRecord]) -> Vec<u8> {
    let mut file = Vec::new();
    let started = records.first().map_or(0, |record| record.timestamp);
    let mut first = Message::default();
    first.double(1, started as f64 / 1000.0);
    first.bytes(3, b"brain.Event:2");
    write_record(&mut file, &first.0);
    for record in records {
        let mut summary = Message::default();
        for (name, value) in &record.values {
            let mut scalar = Message::default();
            scalar.bytes(1, name.as_bytes());
            scalar.float(2, *value as f32);
            summary.bytes(1, &scalar.0);
        }
        let mut event = Message::default();
        event.double(1, record.timestamp as f64 / 1000.0);
        event.whole(2, record.step as u64);
        event.bytes(5, &summary.0);
        write_record(&mut file, &event.0);
    }
    file
}

/// A protocol buffer message in the making.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn key(&mut self, field: u8, wire_type: u8) {
        self.0.push(field << 3 | wire_type);
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn whole(&mut self, field: u8, value: u64) {
        self.key(field, 0);
        self.varint(value);
    }

    fn double(&mut self, field: u8, value: f64) {
        self.key(field, 1);
        self.0.extend(value.to_le_bytes());
    }

    fn float(&mut self, field: u8, value: f32) {
        self.key(field, 5);
        self.0.extend(value.to_le_bytes());
    }

    fn bytes(&mut self, field: u8, value: &[u8]) {
        self.key(field, 2);
        self.varint(value.len() as u64);
        self.0.extend(value);
    }
}

fn write_record(file: &mut Vec<u8>, message: &[u8]) {
    let length = (message.len() as u64).to_le_bytes();
    file.extend(length);
    file.extend(masked(crc32c(&length)).to_le_bytes());
    file.extend(message);
    file.extend(masked(crc32c(message)).to_le_bytes());
}

fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_begins_with_its_version() {
        let file = tensorboard_events(&[]);
        assert_eq!(file.len(), 8 + 4 + 24 + 4);
        assert!(file.windows(13).any(|window| window == b"brain.Event:2"));
    }
}
