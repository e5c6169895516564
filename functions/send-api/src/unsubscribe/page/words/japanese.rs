//! The sentences in Japanese, in the polite form (です・ます).

use super::{About, Message, Words};

const NOTHING_ELSE: &str = "ご注文の確認やパスワードの再設定など、ほかのメールには影響しません。";
const ON_ITS_WAY: &str = "すでに送信済みのメールは、行き違いで届くことがあります。";

pub(super) static WORDS: Words = Words {
    around_sender: ("", "からの"),
    ask: About {
        named: Message {
            heading: "「{topic}」の配信を停止しますか？",
            lead: "停止すると、{sender}「{topic}」のメールは届かなくなります。",
            note: NOTHING_ELSE,
        },
        unnamed: Message {
            heading: "メールの配信を停止しますか？",
            lead: "停止すると、{sender}このようなメールは届かなくなります。",
            note: NOTHING_ELSE,
        },
    },
    left: About {
        named: Message {
            heading: "配信を停止しました",
            lead: "今後、{sender}「{topic}」のメールは届きません。",
            note: ON_ITS_WAY,
        },
        unnamed: Message {
            heading: "配信を停止しました",
            lead: "今後、{sender}このようなメールは届きません。",
            note: ON_ITS_WAY,
        },
    },
    came_back: About {
        named: Message {
            heading: "配信を再開しました",
            lead: "{sender}「{topic}」のメールを、再びお届けします。",
            note: "",
        },
        unnamed: Message {
            heading: "配信を再開しました",
            lead: "{sender}メールを、再びお届けします。",
            note: "",
        },
    },
    cannot_come_back: About {
        named: Message {
            heading: "配信を再開できませんでした",
            lead: "配信停止の件数が上限に達しているため、{sender}「{topic}」のメールをこの画面から再開することはできません。",
            note: "再開をご希望の場合は、メールの送信元にお問い合わせください。",
        },
        unnamed: Message {
            heading: "配信を再開できませんでした",
            lead: "配信停止の件数が上限に達しているため、{sender}メールをこの画面から再開することはできません。",
            note: "再開をご希望の場合は、メールの送信元にお問い合わせください。",
        },
    },
    wrong_link: Message {
        heading: "このリンクはご利用になれません",
        lead: "リンクの一部が欠けている可能性があります。お手数ですが、メールのリンクをもう一度開いてください。",
        note: "それでも開けない場合は、メールの送信元にお問い合わせください。",
    },
    unavailable: Message {
        heading: "しばらくしてからもう一度お試しください",
        lead: "ただいまお手続きを受け付けることができません。設定は変更されていません。",
        note: "",
    },
    unknown: Message {
        heading: "もう一度お試しください",
        lead: "お手続きが完了したかどうかを確認できませんでした。",
        note: "すでに完了している場合も、もう一度操作していただいて問題ありません。",
    },
    mistake: "誤って操作された場合は、元に戻すことができます。",
    unsubscribe: "配信を停止する",
    resubscribe: "配信を再開する",
    try_again: "もう一度試す",
};
