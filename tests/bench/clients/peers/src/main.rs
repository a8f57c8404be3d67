//! The pollers that two cloud vendors' Rust clients are generated on, each used as its generated clients use it.

mod azure;
mod google;

use measure::run;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("azure") => run::<azure::Azure>(&arguments[1..]),
        Some("google") => run::<google::Google>(&arguments[1..]),
        _ => panic!("azure or google, and what to measure"),
    }
}
