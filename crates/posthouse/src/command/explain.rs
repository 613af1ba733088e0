//! `explain`: the way of an address, by the same code that mail takes.

use serde_json::json;

use crate::cli::Json;
use crate::failure::{Code, Failure, of_store};
use crate::house::House;
use crate::serve::services::router;

/// Tells every step. Fails when nobody has the address.
pub async fn run(house: &House, address: &str, Json { json }: Json) -> Result<(), Failure> {
    let router = router(house);
    let parsed = router.settings().complete(address).map_err(|error| Failure::new(Code::BadInput, address, error))?;
    let (end, steps) = router.explain(&parsed).await.map_err(|error| of_store(address, &error))?;
    for step in steps {
        match json {
            true => println!("{}", json!({"step": step.step, "input": step.input, "output": step.output, "because": step.because})),
            false => println!("{:<11} {} -> {}\n            because {}", step.step, step.input, step.output, step.because),
        }
    }
    let refused = |route: &str| {
        let text = format!("is {route}, and mail to other servers is not sent yet: such a recipient is refused");
        Failure::new(Code::Unavailable, address, text)
    };
    match end {
        route::Route::Remote { .. } => Err(refused("in relay_domains")),
        route::Route::NotOurs { .. } => Err(refused("not of a domain of ours")),
        route::Route::NoSuchUser { .. } => Err(Failure::new(Code::NotFound, address, "nobody here has this address")),
        _ => Ok(()),
    }
}
