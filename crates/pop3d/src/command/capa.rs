//! CAPA: what would be taken now.

use dialogue::Answer;
use net::Gone;
use pop3::Reply;
use pop3::command::capa::Capabilities;
use sasl::Mechanism;

use crate::{Next, Pop3d, Talk, authorization};

pub(crate) async fn capa(house: &Pop3d, talk: &mut Talk, logged_in: bool) -> Result<Next, Gone> {
    let password = authorization::may_use_password(house, talk);
    let mechanisms = house.auth.mechanisms(talk.binding().is_some()).into_iter();
    let capabilities = Capabilities {
        stls: house.settings.stls && !talk.secured() && !logged_in,
        user: password,
        mechanisms: if password { mechanisms.map(Mechanism::name).collect() } else { Vec::new() },
        implementation: house.settings.implementation.filter(|_| logged_in),
    };
    talk.answer(Answer::Done(Reply::Capabilities(capabilities))).await?;
    Ok(Next::Go)
}
