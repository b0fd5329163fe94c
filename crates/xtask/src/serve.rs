//! Serves the playground on this machine.

use anyhow::{Context, Result};
use clap::Args;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::ExitCode;

use crate::build;
use crate::profile::Profile;
use crate::progress::{Steps, note};
use crate::tools::Toolbox;
use crate::workers;
use crate::workspace::Workspace;

#[derive(Args)]
pub struct Options {
    /// The port to serve on
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Open the page in the browser
    #[arg(long)]
    open: bool,
}

pub fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
    // Said now rather than after the build.
    TcpListener::bind(address)
        .with_context(|| format!("port {} is taken: choose another with --port", options.port))?;

    let mut steps = Steps::new(build::STEPS);
    let tools = Toolbox::provide(workspace, &mut steps)?;
    workers::build(workspace, &tools, Profile::Standard, None, &mut steps)?;
    build::page(workspace, &tools, Profile::Standard, &mut steps)?;
    steps.next("serving");
    // Trunk's script for reloading is an inline one, which the page's security policy refuses.
    let mut cmd = build::trunk(workspace, &tools, Profile::Standard)?
        .args([
            "serve",
            "--no-autoreload",
            "--address",
            "127.0.0.1",
            "--port",
        ])
        .arg(options.port.to_string());
    if options.open {
        cmd = cmd.arg("--open");
    }
    note(&format!(
        "ready after {} s; changes are picked up, Ctrl-C ends it",
        steps.elapsed()
    ));
    eprintln!("\n      The playground: http://{address}/\n");
    // Trunk replaces this program, so a signal that ends one ends the other.
    Err(cmd.replace_this_program())
}
