//! A slow clock for counted functions.
//!
//! Under callgrind a function runs about a hundred times slower, and a busy machine makes it slower still. With the
//! real clock its timeouts would fire and change the counted work, so the function has a clock that is slower too.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::world::World;

const SOURCE: &str = include_str!("../slow_clock.c");

/// Compiles the clock, and returns the library that the function must load before all others.
pub(crate) fn build(world: &World) -> Result<PathBuf> {
    let (source, library) = (world.file("slow_clock.c"), world.file("slow_clock.so"));
    fs::write(&source, SOURCE)?;
    let said = Command::new("cc")
        .args(["-O2", "-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .output()
        .context("there is no C compiler: it makes the clock of functions that are counted")?;
    if !said.status.success() {
        bail!(
            "the clock cannot be compiled: {}",
            String::from_utf8_lossy(&said.stderr)
        );
    }
    Ok(library)
}
