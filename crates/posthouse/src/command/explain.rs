//! `explain`: the way of an address, by the same code that mail takes.

use serde_json::json;

use crate::cli::Json;
use crate::failure::{Code, Failure, of_store};
use crate::house::House;
use crate::serve::services::router;
use crate::say::say;

/// Tells every step. Fails when nobody has the address.
pub async fn run(house: &House, address: &str, Json { json }: Json) -> Result<(), Failure> {
    let router = router(house);
    let parsed = router.settings().complete(address).map_err(|error| Failure::new(Code::BadInput, address, error))?;
    let (end, steps) = router.explain(&parsed).await.map_err(|error| of_store(address, &error))?;
    for step in steps {
        match json {
            true => say(format_args!("{}", json!({"step": step.step, "input": step.input, "output": step.output, "because": step.because}))),
            false => say(format_args!("{:<11} {} -> {}\n            because {}", step.step, step.input, step.output, step.because)),
        }
    }
    match end {
        route::Route::Unknown(_) => Err(Failure::new(Code::NotFound, address, "nobody here has this address")),
        route::Route::Refused(status, text) => Err(Failure::new(Code::Unavailable, address, format!("is refused: {status} {text}"))),
        route::Route::Ends(_) | route::Route::Later(_) | route::Route::Endless => Ok(()),
    }
}
