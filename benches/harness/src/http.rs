//! The part of HTTP/1.1 that the emulated services need: requests with a content length, on persistent connections.

use std::io::{self, Read, Write};

/// The largest head of a request, in bytes.
const HEAD_MAX: usize = 64 * 1024;
/// The largest body of a request, in bytes.
const BODY_MAX: usize = 8 * 1024 * 1024;
/// The largest number of headers in a request.
const HEADERS_MAX: usize = 64;

/// A request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    /// The headers, with names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// Returns the first header called `name`, which is written in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// Makes an answer of this type with a body.
    pub(crate) fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: vec![("content-type", content_type.to_owned())],
            body: body.into(),
        }
    }

    /// Adds a header.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("HTTP/1.1 {} -\r\ncontent-length: {}\r\n", self.status, self.body.len());
        for (name, value) in &self.headers {
            text.extend([name, ": ", value, "\r\n"]);
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// A service. With `None`, a request gets no answer and its connection stays open.
pub(crate) trait Service: Send + Sync + 'static {
    /// Answers one request.
    fn answer(&self, request: &Request) -> Option<Response>;
}

/// Answers the requests on a connection until the other side closes it.
pub(crate) fn serve(stream: &mut (impl Read + Write), service: &dyn Service) -> io::Result<()> {
    let mut unread = Vec::new();
    while let Some(request) = read_request(stream, &mut unread)? {
        if let Some(response) = service.answer(&request) {
            // The answer is written in one piece, so that TLS makes one record of it.
            stream.write_all(&response.to_bytes())?;
            stream.flush()?;
        }
    }
    Ok(())
}

/// Reads one request. `unread` holds received bytes that belong to the next request.
fn read_request(stream: &mut impl Read, unread: &mut Vec<u8>) -> io::Result<Option<Request>> {
    let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let (mut request, head) = loop {
        if let Some(parsed) = parse_head(unread).map_err(|error| bad(&error.to_string()))? {
            break parsed;
        }
        if unread.len() > HEAD_MAX {
            return Err(bad("the head of a request is too long"));
        }
        if receive(stream, unread)? == 0 {
            return Ok(None);
        }
    };
    let length = match request.header("content-length") {
        Some(text) => text.parse().map_err(|_| bad("a content length is no number"))?,
        None if request.header("transfer-encoding").is_some() => return Err(bad("a body comes in chunks")),
        None => 0,
    };
    if length > BODY_MAX {
        return Err(bad("the body of a request is too long"));
    }
    while unread.len() < head + length {
        if receive(stream, unread)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    request.body = unread[head..head + length].to_vec();
    unread.drain(..head + length);
    Ok(Some(request))
}

/// Reads once, and returns the number of bytes.
fn receive(stream: &mut impl Read, into: &mut Vec<u8>) -> io::Result<usize> {
    let mut piece = [0; 16 * 1024];
    let read = stream.read(&mut piece)?;
    into.extend_from_slice(&piece[..read]);
    Ok(read)
}

/// Parses the head of a request, and returns it with its length. Returns `None` if the head is not complete.
fn parse_head(bytes: &[u8]) -> Result<Option<(Request, usize)>, httparse::Error> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(length) = parsed.parse(bytes)? else {
        return Ok(None);
    };
    let request = Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        path: parsed.path.unwrap_or_default().to_owned(),
        headers: parsed
            .headers
            .iter()
            .map(|header| {
                let value = String::from_utf8_lossy(header.value).into_owned();
                (header.name.to_ascii_lowercase(), value)
            })
            .collect(),
        body: Vec::new(),
    };
    Ok(Some((request, length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream that returns its bytes three at a time and keeps written bytes.
    struct Wire(Vec<u8>, Vec<u8>);

    impl Read for Wire {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let count = self.0.len().min(3);
            into[..count].copy_from_slice(&self.0[..count]);
            self.0.drain(..count);
            Ok(count)
        }
    }

    impl Write for Wire {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Echo;

    impl Service for Echo {
        fn answer(&self, request: &Request) -> Option<Response> {
            let known = request.header("x-name").is_some_and(|name| name == "Value");
            Some(Response::new(200, "text/plain", request.body.clone()).with("x-known", known.to_string()))
        }
    }

    #[test]
    fn answers_one_request_after_the_other_on_one_connection() {
        let asked = "POST /a HTTP/1.1\r\nX-Name: Value\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\n\r\n";
        let mut wire = Wire(asked.into(), Vec::new());
        serve(&mut wire, &Echo).unwrap();
        let said = String::from_utf8(wire.1).unwrap();
        let first = "HTTP/1.1 200 -\r\ncontent-length: 5\r\ncontent-type: text/plain\r\nx-known: true\r\n\r\nhello";
        assert!(said.starts_with(first), "{said}");
        assert!(said.ends_with("x-known: false\r\n\r\n"), "{said}");
    }

    #[test]
    fn refuses_a_body_in_chunks_and_one_that_breaks_off() {
        for asked in [
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nhello",
            "POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        ] {
            assert!(serve(&mut Wire(asked.into(), Vec::new()), &Echo).is_err(), "{asked}");
        }
    }
}
