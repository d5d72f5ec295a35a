//! `hello.helloworld`: greets with the field `hello` (default `hello`).

use tandem_api_contract::hello::Hello;

pub(crate) struct HelloWorld(Box<str>);

impl HelloWorld {
    pub(crate) fn new(greeting: &str) -> Self {
        Self(greeting.into())
    }
}

impl Hello for HelloWorld {
    fn greet(&self, name: &str) -> String {
        match name {
            "" => self.0.to_string(),
            name => format!("{}, {name}", self.0),
        }
    }
}
