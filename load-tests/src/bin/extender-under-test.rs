//! `headroom-extender`, for the tests that start it as a process: Cargo builds for a test the programs of its own package only.

use std::process::ExitCode;

fn main() -> ExitCode {
    headroom_extender::cli::main()
}
