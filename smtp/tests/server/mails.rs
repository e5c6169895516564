//! Mails on their way through the server: what arrives at Okite, and in which form.

use crate::support::{FakeApi, MAIL, Running, usual};

#[tokio::test]
async fn a_mail_arrives_as_the_client_sent_it() {
    let api = FakeApi::start(|request, _| usual(request)).await;
    let server = Running::start(&api.url()).await;
    let mut client = server.greeted().await;
    let reply = client.sends(&["b@example.net", "c@example.net"], MAIL).await;
    assert_eq!(reply, "250 2.0.0 Ok 0100, id at Okite 01");

    let mails = api.mails();
    let [mail] = &mails[..] else { panic!("{mails:?}") };
    assert_eq!(mail.method, "POST");
    assert_eq!(mail.mail(), format!("{MAIL}\r\n").as_bytes());
    assert_eq!(mail.recipients(), ["b@example.net", "c@example.net"]);
    assert_eq!(mail.body.get("FromEmailAddress"), None);
    assert_eq!(mail.header("authorization"), Some("Bearer ok_1_secret"));
    assert_eq!(mail.header("content-type"), Some("application/json"));
    assert_eq!(mail.header("okite-when-busy"), Some("queue-unless-refused"));
    assert!(mail.header("idempotency-key").unwrap().starts_with("smtp-"));
    assert!(mail.header("content-length").is_some());
}

#[tokio::test]
async fn a_client_may_say_everything_at_once() {
    let api = FakeApi::start(|request, _| usual(request)).await;
    let server = Running::start(&api.url()).await;
    let mut client = server.greeted().await;
    for _ in 0..2 {
        client
            .write("MAIL FROM:<a@example.com> BODY=8BITMIME\r\nRCPT TO:<b@example.net>\r\nRCPT TO:<c>\r\nDATA\r\n")
            .await;
        assert!(client.reply().await.starts_with("250 2.1.0"));
        assert!(client.reply().await.starts_with("250 2.1.5"));
        assert!(client.reply().await.starts_with("550 5.1.3"));
        assert!(client.reply().await.starts_with("354 "));
        // The next commands come with the end of the mail.
        client
            .write("From: a@example.com\r\n\r\nZürich\r\n.\r\nNOOP\r\nRSET\r\n")
            .await;
        assert!(client.reply().await.starts_with("250 2.0.0 Ok 0100"));
        assert_eq!(client.reply().await, "250 2.0.0 Ok");
        assert_eq!(client.reply().await, "250 2.0.0 Ok");
    }
    client.says("QUIT", "221 2.0.0").await;
    assert_eq!(client.rest().await, b"");
    let mails = api.mails();
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0].mail(), "From: a@example.com\r\n\r\nZürich\r\n".as_bytes());
    assert_eq!(mails[0].recipients(), ["b@example.net"]);
}

#[tokio::test]
async fn dots_at_the_start_of_a_line_survive() {
    let api = FakeApi::start(|request, _| usual(request)).await;
    let server = Running::start(&api.url()).await;
    let mut client = server.greeted().await;
    client
        .sends(&["b@example.net"], "From: a@example.com\r\n\r\n..\r\n...a\r\nb.\r\n.c")
        .await;
    assert_eq!(
        api.mails()[0].mail(),
        b"From: a@example.com\r\n\r\n.\r\n..a\r\nb.\r\nc\r\n"
    );
}

#[tokio::test]
async fn a_mail_in_a_mail_is_not_sent() {
    let api = FakeApi::start(|request, _| usual(request)).await;
    let server = Running::start(&api.url()).await;
    for end in ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r\r\n"] {
        let mut client = server.greeted().await;
        let smuggled =
            "MAIL FROM:<ceo@example.com>\r\nRCPT TO:<victim@example.net>\r\nDATA\r\nFrom: ceo@example.com\r\n";
        let reply = client
            .sends(&["b@example.net"], &format!("{MAIL}{end}{smuggled}"))
            .await;
        assert!(reply.starts_with("250 "), "{reply}");
        // Nothing else was answered: the next answer is that to the next command.
        client.says("NOOP", "250 2.0.0 Ok").await;
    }
    let mails = api.mails();
    assert_eq!(mails.len(), 5);
    assert!(mails.iter().all(|mail| mail.recipients() == ["b@example.net"]));
}

#[tokio::test]
async fn a_sender_that_is_not_the_one_of_the_mail_is_no_problem() {
    let api = FakeApi::start(|request, _| usual(request)).await;
    let server = Running::start(&api.url()).await;
    let mut client = server.greeted().await;
    for sender in ["", "bounces+17@lists.example", "root@localhost"] {
        client.says(&format!("MAIL FROM:<{sender}>"), "250 2.1.0").await;
        client.says("RCPT TO:<b@example.net>", "250 2.1.5").await;
        client.says("DATA", "354 ").await;
        client.write(format!("{MAIL}\r\n.\r\n")).await;
        assert!(client.reply().await.starts_with("250 2.0.0"));
    }
    assert!(
        api.mails()
            .iter()
            .all(|mail| mail.body.get("FromEmailAddress").is_none())
    );
}

#[tokio::test]
async fn the_largest_mail_arrives_and_a_larger_one_does_not() {
    let api = FakeApi::start(|request, _| usual(request)).await;
    let server = Running::start(&api.url()).await;
    let mut client = server.greeted().await;
    let of = |bytes: usize| {
        let mut mail = format!("{MAIL}\r\n");
        while mail.len() < bytes {
            let line = (bytes - mail.len()).min(78);
            // No line of a single byte is left over.
            let line = if bytes - mail.len() - line == 1 { line - 1 } else { line };
            mail.push_str(&"x".repeat(line - 2));
            mail.push_str("\r\n");
        }
        mail.truncate(bytes - 2);
        mail
    };
    let largest = smtp::limits::MAIL_BYTES_MAX;
    let reply = client.sends(&["b@example.net"], &of(largest)).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    assert_eq!(api.mails()[0].mail().len(), largest);

    let reply = client.sends(&["b@example.net"], &of(largest + 1)).await;
    assert!(reply.starts_with("552 5.3.4"), "{reply}");
    client.says("MAIL FROM:<a@example.com> SIZE=4400001", "552 5.3.4").await;
    assert_eq!(api.mails().len(), 1);
    // The connection is still of use.
    let reply = client.sends(&["b@example.net"], MAIL).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
}
