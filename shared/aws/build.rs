//! Writes the roots of Amazon Trust Services as Rust, so that a function neither reads a certificate in a cold start
//! nor carries the other roots of Mozilla's store.

use std::path::Path;
use std::{env, fs};

/// The roots that certify AWS's endpoints: <https://www.amazontrust.com/repository/>.
const AMAZON: [&str; 2] = ["Amazon Root CA ", "Starfield Services Root Certificate Authority - G2"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let is_amazon = |subject: &[u8]| {
        AMAZON
            .iter()
            .any(|name| subject.windows(name.len()).any(|part| part == name.as_bytes()))
    };
    let roots: Vec<String> = webpki_roots::TLS_SERVER_ROOTS
        .iter()
        .filter(|root| is_amazon(&root.subject))
        .map(|root| {
            assert!(root.name_constraints.is_none(), "a root of Amazon has constraints");
            format!(
                "TrustAnchor {{ subject: Der::from_slice(&{:?}), subject_public_key_info: Der::from_slice(&{:?}), \
                 name_constraints: None }},\n",
                root.subject.as_ref(),
                root.subject_public_key_info.as_ref(),
            )
        })
        .collect();
    let folder = env::var("OUT_DIR")?;
    fs::write(
        Path::new(&folder).join("amazon_roots.rs"),
        format!("[\n{}]\n", roots.concat()),
    )?;
    println!("cargo::rerun-if-changed=build.rs");
    Ok(())
}
