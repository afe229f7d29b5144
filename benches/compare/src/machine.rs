//! The machine that makes the figures.

use std::process::Command;
use std::{env, fs, thread};

/// Names the cores, the architecture and the compiler.
pub fn machine() -> String {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let arch = env::consts::ARCH.replace('_', "-");
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let kind = if cpu.contains("hypervisor") {
        " virtual machine"
    } else {
        ""
    };
    let rustc = Command::new("rustc")
        .arg("--version")
        .output()
        .expect("cargo found it");
    let rustc = String::from_utf8_lossy(&rustc.stdout);
    let version = rustc.split(" (").next().unwrap_or_default().trim();
    format!("{cores}-core {arch}{kind}, {version}, release build")
}
