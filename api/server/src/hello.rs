//! `SayHello`: checks that the runtime answers.

use tandem_api_proto::layotto::{SayHelloRequest, SayHelloResponse};

use crate::layer::Api;
use crate::status::Error;

impl Api {
    pub(crate) fn say_hello(&self, request: SayHelloRequest) -> Result<SayHelloResponse, Error> {
        let greeter = self
            .clients
            .hello
            .get(&request.service_name)
            .ok_or(Error::HelloNotFound)?;
        Ok(SayHelloResponse {
            hello: greeter.greet(&request.name),
            data: request.data,
        })
    }
}
