//! The connector against servers that fail in every way.

mod server;

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::pin::pin;
use std::time::Duration;

use aws_smithy_runtime_api::client::connection::CaptureSmithyConnection;
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use futures_util::future::{join_all, poll_immediate};
use http_body_util::BodyExt;
use rustls::RootCertStore;

use super::connector::Connector;
use super::failure::NeverSent;
use super::pool::Origin;
use super::trust::Trust;
use server::{Event, Reply, Server};

/// Longer than any test takes.
const LONG: Duration = Duration::from_mins(1);
/// The most bytes of an answer in these tests.
const MAX: usize = 1_000;

fn connector_with(roots: RootCertStore) -> Connector {
    Connector::with_answers_of(MAX, Trust::of(roots).unwrap(), LONG, LONG)
}

fn connector() -> Connector {
    connector_with(RootCertStore::empty())
}

fn request(address: SocketAddr, path: &str) -> HttpRequest {
    request_to(&format!("http://{address}{path}"))
}

fn request_to(url: &str) -> HttpRequest {
    let mut request = HttpRequest::new(SdkBody::from("question"));
    request.set_method("POST").unwrap();
    request.set_uri(url).unwrap();
    request.headers_mut().insert("content-length", "8");
    request
}

/// Reads the body of an answer.
async fn body(answer: HttpResponse) -> Result<String, Box<dyn Error + Send + Sync>> {
    let bytes = answer.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8(bytes.to_vec())?)
}

async fn ask(connector: &Connector, server: &Server) -> Result<String, ConnectorError> {
    let answer = connector.call(request(server.address, "/")).await?;
    Ok(body(answer).await.unwrap())
}

/// Returns whether nothing was written, by the error alone.
fn is_never_sent(error: &ConnectorError) -> bool {
    NeverSent::is_cause_of(error)
}

/// Lets the runtime hear of what has happened to its sockets.
async fn hear() {
    for _ in 0..3 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_request_is_written_as_it_is() {
    let mut server = Server::start(|_, _, _| Reply::ok("answer"));
    let answer = connector().call(request(server.address, "/a%20b?c=d")).await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    assert_eq!(answer.headers().get("content-length"), Some("6"));
    assert_eq!(body(answer).await.unwrap(), "answer");
    let Event::Request { head, .. } = server.event().await else {
        panic!("no request came");
    };
    let expected = format!(
        "POST /a%20b?c=d HTTP/1.1\r\ncontent-length: 8\r\nhost: {}\r\n\r\n",
        server.address
    );
    assert_eq!(head, expected);
}

#[test]
fn the_host_header_has_no_port_that_the_scheme_has_anyway() {
    for (url, header, host, port) in [
        ("https://a.example/x", "a.example", "a.example", 443),
        ("https://a.example:443", "a.example", "a.example", 443),
        ("https://a.example:80", "a.example:80", "a.example", 80),
        ("http://a.example", "a.example", "a.example", 80),
        ("http://a.example:8000/", "a.example:8000", "a.example", 8_000),
        ("http://[::1]:8000/", "[::1]:8000", "::1", 8_000),
    ] {
        let origin = Origin::of(&url.parse().unwrap()).unwrap();
        assert_eq!(origin.host_header(), header, "{url}");
        assert_eq!((origin.host(), origin.port()), (host, port), "{url}");
    }
    for url in ["/path", "ftp://a.example/", "a.example"] {
        assert_eq!(Origin::of(&url.parse().unwrap()), None, "{url}");
    }
}

#[tokio::test]
async fn one_connection_serves_one_request_after_the_other() {
    const ANSWERS: [(&str, &str); 6] = [
        ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\none", "one"),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n",
            "twothree",
        ),
        ("HTTP/1.1 204 No Content\r\n\r\n", ""),
        ("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n", ""),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 500 Error\r\ncontent-length: 1\r\n\r\n5",
            "5",
        ),
        ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nsix", "six"),
    ];
    let mut server = Server::start(|_, nth, _| Reply::text(ANSWERS[nth].0));
    let connector = connector();
    for (_, expected) in ANSWERS {
        assert_eq!(ask(&connector, &server).await.unwrap(), expected);
    }
    assert_eq!(server.connections(), [0; ANSWERS.len()]);
}

#[tokio::test]
async fn requests_side_by_side_have_a_connection_each_and_later_ones_use_it_again() {
    const CALLS: usize = 100;
    let mut server = Server::start(|_, _, head| Reply::ok(head.split(' ').nth(1).unwrap()));
    let connector = connector();
    for _ in 0..3 {
        let calls = (0..CALLS).map(|call| {
            let path = format!("/{call}");
            let answer = connector.call(request(server.address, &path));
            async move { (body(answer.await.unwrap()).await.unwrap(), path) }
        });
        for (answer, path) in join_all(calls).await {
            assert_eq!(answer, path);
        }
    }
    let connections = server.connections();
    assert_eq!(connections.len(), 3 * CALLS);
    assert!(
        connections.iter().all(|connection| *connection < CALLS),
        "{connections:?}"
    );
}

#[tokio::test]
async fn a_connection_belongs_to_one_server() {
    let (mut one, mut other) = (
        Server::start(|_, _, _| Reply::ok("one")),
        Server::start(|_, _, _| Reply::ok("other")),
    );
    let connector = connector();
    for _ in 0..2 {
        assert_eq!(ask(&connector, &one).await.unwrap(), "one");
        assert_eq!(ask(&connector, &other).await.unwrap(), "other");
    }
    assert_eq!((one.connections(), other.connections()), (vec![0, 0], vec![0, 0]));
}

#[tokio::test]
async fn a_connection_that_was_idle_for_too_long_is_not_used_again() {
    let mut server = Server::start(|_, _, _| Reply::ok(""));
    let connector = Connector::new(Trust::of(RootCertStore::empty()).unwrap(), LONG, Duration::ZERO);
    for _ in 0..3 {
        ask(&connector, &server).await.unwrap();
    }
    assert_eq!(server.connections(), [0, 1, 2]);
}

#[tokio::test]
async fn a_connection_that_the_server_closed_while_it_was_idle_is_replaced() {
    for closing in [
        Reply::last("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"),
        Reply::last("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok"),
        Reply::last("HTTP/1.0 200 OK\r\n\r\nok"),
    ] {
        let mut server = Server::start(move |_, _, _| closing.clone());
        let connector = connector();
        for connection in 0..3 {
            assert_eq!(ask(&connector, &server).await.unwrap(), "ok");
            let request = server.event().await;
            assert!(matches!(request, Event::Request { connection: of, .. } if of == connection));
            server.closed(connection).await;
            hear().await;
        }
    }
}

#[tokio::test]
async fn a_request_that_was_written_is_never_repeated() {
    for first in [Some(Reply::ok("")), None] {
        // The second request, or the first one, is read and not answered.
        let mut server = Server::start(move |_, nth, _| match &first {
            Some(reply) if nth == 0 => reply.clone(),
            _ => Reply::last(""),
        });
        let connector = connector();
        let mut before = 0;
        let error = loop {
            match ask(&connector, &server).await {
                Ok(_) => before += 1,
                Err(error) => break error,
            }
        };
        assert!(!is_never_sent(&error), "{error:?}");
        assert_eq!(server.connections().len(), before + 1);
    }
}

#[tokio::test]
async fn a_request_to_a_connection_that_has_just_been_closed_is_never_repeated() {
    let mut server = Server::start(|_, _, _| Reply::ok(""));
    let connector = connector();
    ask(&connector, &server).await.unwrap();
    assert_eq!(server.connections(), [0]);
    // The runtime does not hear of it before it writes.
    server.close_first();
    let error = ask(&connector, &server).await.unwrap_err();
    assert!(!is_never_sent(&error), "{error:?}");
    assert_eq!(server.connections(), [0; 0]);
    ask(&connector, &server).await.unwrap();
    assert_eq!(server.connections(), [1]);
}

#[tokio::test]
async fn an_answer_that_is_not_one_of_http_is_an_error() {
    for reply in [
        "SSH-2.0-OpenSSH\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\n",
    ] {
        let mut server = Server::start(move |_, _, _| Reply::last(reply));
        let error = ask(&connector(), &server).await.unwrap_err();
        assert!(!is_never_sent(&error), "{error:?}");
        assert_eq!(server.connections(), [0], "{reply}");
    }
}

#[tokio::test]
async fn an_answer_that_is_cut_off_keeps_its_head() {
    for cut_off in [
        Reply::last("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n"),
        Reply::last("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"),
        Reply::last("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"),
        Reply::last("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n"),
        Reply::last("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nno number\r\n"),
    ] {
        let mut server = Server::start(move |connection, _, _| match connection {
            0 => cut_off.clone(),
            _ => Reply::ok("whole"),
        });
        let connector = connector();
        let answer = connector.call(request(server.address, "/")).await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        body(answer).await.unwrap_err();
        assert_eq!(ask(&connector, &server).await.unwrap(), "whole");
        assert_eq!(server.connections(), [0, 1]);
    }
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_an_error_and_its_connection_is_closed() {
    let of_length = |length: usize| {
        let body = "x".repeat(length);
        format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}")
    };
    let chunked = |length: usize| {
        let half = length / 2;
        let (one, other) = ("x".repeat(half), "x".repeat(length - half));
        format!(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{half:x}\r\n{one}\r\n{:x}\r\n{other}\r\n0\r\n\r\n",
            length - half
        )
    };
    // The rest of these never comes.
    let endless = "HTTP/1.1 200 OK\r\ncontent-length: 9000000000000000000\r\n\r\n".to_owned();
    let endless_chunk = format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffff\r\n{}",
        "x".repeat(MAX + 1)
    );
    for (reply, is_too_large) in [
        (of_length(MAX), false),
        (chunked(MAX), false),
        (of_length(MAX + 1), true),
        (chunked(MAX + 1), true),
        (endless, true),
        (endless_chunk, true),
    ] {
        let mut server = Server::start(move |_, _, _| Reply::text(&reply));
        let connector = connector();
        let answer = connector.call(request(server.address, "/")).await.unwrap();
        let whole = body(answer).await;
        assert_eq!(whole.is_err(), is_too_large, "{whole:?}");
        if is_too_large {
            server.closed(0).await;
        }
    }
}

#[tokio::test]
async fn a_request_that_is_given_up_closes_its_connection() {
    for begun in [
        Reply::none(),
        Reply::text("HTTP/1.1 200 OK\r\n"),
        Reply::text("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"),
    ] {
        let mut server = Server::start(move |connection, nth, _| match (connection, nth) {
            (0, 1) => begun.clone(),
            _ => Reply::ok("whole"),
        });
        let connector = connector();
        ask(&connector, &server).await.unwrap();
        server.event().await;
        {
            let mut given_up = pin!(connector.call(request(server.address, "/")));
            tokio::select! {
                answer = &mut given_up => panic!("{answer:?}"),
                event = server.event() => assert!(matches!(event, Event::Request { connection: 0, .. })),
            }
            // A part of the answer may have come by now.
            assert!(poll_immediate(&mut given_up).await.is_none());
        }
        server.closed(0).await;
        assert_eq!(ask(&connector, &server).await.unwrap(), "whole");
        assert_eq!(server.connections(), [1]);
    }
}

#[tokio::test]
async fn a_connection_that_the_sdk_has_poisoned_is_not_used_again() {
    let mut server = Server::start(|_, _, _| Reply::ok(""));
    let connector = connector();
    for _ in 0..2 {
        let capture = CaptureSmithyConnection::new();
        let mut request = request(server.address, "/");
        request.add_extension(capture.clone());
        connector.call(request).await.unwrap();
        capture.get().unwrap().poison();
    }
    assert_eq!(server.connections(), [0, 1]);
}

#[tokio::test]
async fn a_request_without_a_connection_was_never_sent() {
    // Nobody listens at this port.
    let refused = connector().call(request_to("http://127.0.0.1:1/")).await.unwrap_err();
    assert!(is_never_sent(&refused) && refused.is_io(), "{refused:?}");

    let unusable = connector().call(request_to("/no/host")).await.unwrap_err();
    assert!(is_never_sent(&unusable) && unusable.is_user(), "{unusable:?}");

    // The kernel opens the connection, and nobody answers the handshake.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = silent.local_addr().unwrap();
    let soon = connector().with_limits(Duration::from_millis(1), None);
    let too_slow = soon.call(request_to(&format!("https://{address}/"))).await.unwrap_err();
    assert!(is_never_sent(&too_slow) && too_slow.is_timeout(), "{too_slow:?}");
}

#[tokio::test]
async fn an_answer_that_does_not_come_within_its_limit_may_have_been_asked_for() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let soon = connector().with_limits(LONG, Some(Duration::from_millis(1)));
    let address = silent.local_addr().unwrap();
    let late = soon.call(request(address, "/")).await.unwrap_err();
    assert!(late.is_timeout() && !is_never_sent(&late), "{late:?}");
}

#[tokio::test]
async fn a_server_is_trusted_under_the_name_of_its_certificate_alone() {
    for (name, is_trusted, is_refused) in [
        ("localhost", true, false),
        ("localhost", false, true),
        ("other.example", true, true),
    ] {
        let (mut server, roots) = Server::with_tls(name, |_, _, _| Reply::ok("secret"));
        let connector = connector_with(if is_trusted { roots } else { RootCertStore::empty() });
        let url = format!("https://localhost:{}/", server.address.port());
        for _ in 0..2 {
            match connector.call(request_to(&url)).await {
                Ok(answer) => assert_eq!(body(answer).await.unwrap(), "secret"),
                Err(error) => assert!(is_refused && is_never_sent(&error) && error.is_io(), "{error:?}"),
            }
        }
        let expected: &[usize] = if is_refused { &[] } else { &[0, 0] };
        assert_eq!(server.connections(), expected, "{name}");
    }
}

#[tokio::test]
async fn a_connection_under_tls_that_the_server_closed_is_replaced() {
    let (mut server, roots) = Server::with_tls("localhost", |_, nth, _| match nth {
        0 => Reply::ok("first"),
        _ => Reply::last("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlast"),
    });
    let connector = connector_with(roots);
    let url = format!("https://localhost:{}/", server.address.port());
    for connection in 0..2 {
        for expected in ["first", "last"] {
            let answer = connector.call(request_to(&url)).await.unwrap();
            assert_eq!(body(answer).await.unwrap(), expected);
        }
        server.closed(connection).await;
        hear().await;
    }
}

#[test]
fn a_body_of_several_parts_is_put_together_in_their_order() {
    use super::exchange::Whole;
    for parts in [&["one"][..], &["one", "two", "three"], &["", "one", "", "two"], &[]] {
        let mut whole = Whole::default();
        for part in parts {
            whole.add(part.as_bytes().into());
        }
        assert_eq!(whole.len(), parts.concat().len());
        assert_eq!(whole.into_bytes(), parts.concat().as_bytes());
    }
}
