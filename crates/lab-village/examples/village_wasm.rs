//! The generator as a bare wasm module, to be compared with the native one.

use lab_village::{Preset, Village};

/// The digest of the village of a preset (by its place in [`Preset::ALL`]) and a seed: 64 characters,
/// at the address that is returned. Address 0 if there is no such village.
#[unsafe(no_mangle)]
pub extern "C" fn digest(preset: u32, seed: u64) -> *const u8 {
    let preset = Preset::ALL.get(preset as usize);
    let village = preset.and_then(|preset| Village::preset(*preset, seed).ok());
    match village {
        // The module lives for one comparison: nothing is given back.
        Some(village) => Box::leak(village.digest().into_boxed_str()).as_ptr(),
        None => std::ptr::null(),
    }
}
