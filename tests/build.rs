//! Finds programs and packages that some tests compare with and not every machine has. A test whose need is missing
//! is ignored, by name and with the need (`#[cfg_attr(not(python = "peft"), ignore = "…")]`), so it never passes
//! without testing anything.

use std::process::Command;

/// Packages of Python that tests compare with.
const PACKAGES: [&str; 5] = ["peft", "tensorboard", "tokenizers", "torch", "transformers"];
const SCRIPT: &str = "import importlib.util, sys\n\
    print(*[name for name in sys.argv[1:] if importlib.util.find_spec(name)])";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=LAB_PYTHON");
    println!("cargo::rerun-if-env-changed=LAB_ENCODER_DIR");
    println!("cargo::rustc-check-cfg=cfg(encoder)");
    println!(
        "cargo::rustc-check-cfg=cfg(python, values(none(), \"{}\"))",
        PACKAGES.join("\", \"")
    );
    if std::env::var_os("LAB_ENCODER_DIR").is_some() {
        println!("cargo::rustc-cfg=encoder");
    }
    let python = std::env::var("LAB_PYTHON").unwrap_or_else(|_| "python3".into());
    let found = Command::new(python)
        .args(["-c", SCRIPT])
        .args(PACKAGES)
        .output();
    let Some(found) = found.ok().filter(|output| output.status.success()) else {
        return;
    };
    println!("cargo::rustc-cfg=python");
    for name in String::from_utf8_lossy(&found.stdout).split_whitespace() {
        println!("cargo::rustc-cfg=python=\"{name}\"");
    }
}
