//! The data: which words of a receiving server speak for which reason. Nothing but data stands here.
//!
//! A phrase is a row of words. `a|b` is one word out of several, `block~` a word that begins so, `*` up to six words of
//! any kind. Words are lower case and without accents, split at every character that is no letter or digit. A phrase in
//! Chinese, Japanese or Korean is found anywhere in a word, because those scripts put no space between words. Codes of
//! providers are compared with whole pieces of the text, which keep `_`, `-` and `#`; `*` there is any row of
//! characters. A code such as `dt:spm` is compared with what stands between two spaces.
//!
//! A phrase inside of a longer one that was found as well does not count: `sender address * does not exist` is not
//! about the recipient.

use super::pattern::{Pattern, Strength};
use super::reason::BounceReason;

macro_rules! patterns {
    ($($reason:ident $strength:ident [$($phrase:literal),+ $(,)?] yes [$($yes:literal),+ $(,)?] no [$($no:literal),* $(,)?])+) => {
        pub(super) static PATTERNS: &[Pattern] = &[$(Pattern {
            reason: BounceReason::$reason,
            strength: Strength::$strength,
            phrases: &[$($phrase),+],
            #[cfg(test)]
            examples: &[$($yes),+],
            #[cfg(test)]
            counter_examples: &[$($no),*],
        }),+];
    };
}

patterns! {
    // Codes of providers.
    SenderBlocked Provider [
        "ofr*_101", "ofr*_102", "ofr*_103", "ofr*_107", "ofr*_108", "ofr*_506", "ofr*_510", "ofr*_513", "ofr*_630", "ofr_999",
        "lpn*_101", "lpn*_102", "lpn*_103", "lpn*_107", "lpn*_108", "lpn*_506", "lpn*_510", "lpn*_513", "lpn*_630", "ouk_513",
        "bl000*", "bl21", "bl23", "tss07", "tss09", "tss11", "s3140", "s3150", "s3113", "ipbl*", "cxbl", "cdrbl",
        "ib103", "ib104", "ib105", "ib106", "ib110", "ib111", "ib112", "ib113", "aup#i-1000", "aup#i-12*", "aup#1260",
        "sc-001", "sc-002", "sc-003", "sc-004", "ou-001", "ou-002", "dy-001", "(bl)", "shxbl", "hs:bl",
        "dt:spm", "dt:sum", "dt:rbl", "hl:ipb", "hl:ihu", "mi:spb", "rp:trc", "wm:bli", "wm:blu",
    ]
    yes ["554 IP=192.0.2.7 - A problem occurred. (BL)", "550 Service refuse OFR006_103 [103]", "550 5.7.1 part of their network (S3150)", "554 DT:SPM 163 mx12,PsCow 1700000000"]
    no ["550 5.1.1 bl is unknown", "550 5.1.1 Invalid recipient. OFR_416 [416]"]

    Policy Provider ["ph01", "aup#i-1160", "aup#i-1190"]
    yes ["554 Message not allowed - [PH01] Email not accepted"] no ["550 alph01x unknown user"]

    SenderAuthentication Provider ["au01", "ib508", "lpn*_401", "ofr*_401", "lpn*_517", "ofr*_517", "cxsndr"]
    yes ["554 5.7.5 (AU01) see our site", "550 5.5.0 not allowed LPN004_401"] no ["550 au 01 unknown"]

    SenderRefused Provider ["lpn*_403", "lpn*_405", "lpn*_421", "ofr*_403", "ofr*_405", "ofr_415", "lpn_415", "ib506"]
    yes ["501 5.1.0 Emetteur invalide. OFR004_405 [405]"] no ["421 Trop de connexions OFR005_104"]

    TooMuchMail Provider [
        "ofr*_104", "lpn*_104", "tss04", "tss05", "ts01", "ts02", "ts03", "ts04", "rp-001", "rp-002", "rp-003", "ib007",
        "ib504", "ib510", "ib607", "cxcnct", "cxmxrt", "aup#i-13*", "aup#i-14*", "aup#i-1540", "aup#i-1580",
        "hl:icc", "hl:ifc", "hl:itc", "hl:mep", "mi:cel", "mi:dmc", "mi:ccl", "mi:sfq", "mi:stc", "rp:drc", "rp:ccl", "rp:cel", "rp:qrc",
    ]
    yes ["421 RP-001 (BAY004) Unfortunately", "421 4.7.0 [TSS04] Messages from 192.0.2.1", "450 MI:DMC 126 mx4,abc"] no ["550 5.1.1 tss is no user here"]

    MailboxFull Provider ["ofr*_417", "lpn*_417", "lpn417"]
    yes ["552 5.1.1 Recipient. OFR_417 [417]"] no ["550 mailbox 417 is unknown"]

    UserUnknown Provider ["ofr*_416", "lpn*_416", "lpn416", "ofr*_418", "lpn*_418"]
    yes ["550 5.1.1 Adresse d au moins un destinataire invalide. OFR_416 [416]"] no ["550 mail rejected OFR_506"]

    MailboxDisabled Provider ["lpn*_420", "lpn*_426", "ofr*_420", "ofr*_426"]
    yes ["550 5.5.0 Boite archivee. LPN007_420"] no ["550 LPN007_999"]

    // The address.
    UserUnknown Clear [
        "user|users|recipient|recipients|account|mailbox|addressee|alias|destinatario|destinataire|utilisateur|usuario|cuenta|utente|empfanger|empfaenger|benutzer|mottaker|mottagare|gebruiker unknown|unbekannt|inconnu|desconocido|desconocida|desconhecido|sconosciuto|ukjent|okand|onbekend",
        "unknown user|users|recipient|recipients|mailbox|account|alias|addressee|virtual|utente|rcpt|local",
        "unknown email|mail address", "unknown e mail", "unknown or illegal|invalid alias|user|recipient|address|mailbox",
        "invalid or unknown", "unknown address", "address unknown", "inconnu utilisateur|destinataire",
        "no such user|users|mailbox|mailboxes|recipient|account|person|address|alias|local|email|one|addressee|mbox|userid|rcpt",
        "user|recipient|account|mailbox|inbox|rcpt|destination|person|email|addresses * does|do|did|doesn|didn not|t exist~",
        "address does|do|doesn|did not|t exist~", "user|recipient|mailbox|account|address|email not|nonexistent|nonexistant exist|exists|existing|existent",
        "user|recipient|mailbox|account|email|person|address not found|known|recognized|recognised|registered|present|located",
        "user|recipient|mailbox|account * not found|recognized|recognised|registered|hosted|located",
        "user|recipient|mailbox|account * is|was|were not known|valid|local|here|found|listed|present|registered",
        "address is|was not found|known|valid|local|registered",
        "not a known|valid|local|registered|existing user|mailbox|recipient|account|address|subscriber|inbox",
        "not our customer", "user|recipient|mailbox|account * not hosted|found|known here", "not a customer", "no mailbox|account|user|recipient|inbox * here|name|found|by|with|for|matching",
        "no mail box", "there is|are no user|mailbox|account|one|such|recipient|person",
        "doesn t|not have a|an * account|mailbox", "does not have a|an|any * account|mailbox",
        "recipientnotfound", "recipient notfound", "userunknown", "badrcptto", "badrecipientto", "validrcptto", "nosuchuser", "unknownuser", "user_unknown", "usernotfound",
        "invalid|nonexistent|nonexistant|non|illegal recipient|recipients|mailbox|user|rcpt|existent|userid",
        "recipient|recipients|mailbox|user invalid|nonexistent|inexistent",
        "user|recipient|mailbox|account|address * could|can not be found|resolved|located",
        "user|recipient|mailbox|account|address * couldn|can|cannot t|be be|found found|resolved|located",
        "couldn|can t find|locate * user|recipient|mailbox|account|alias", "recipient|address|mailbox|user * cannot|could|not be|be verified", "recipient|user * cannot be verified", "cannot|not find|locate * user|recipient|mailbox|account|alias",
        "unrouteable|unroutable|undeliverable address|recipient", "address|recipient * undeliverable", "not deliverable to",
        "destinataire|adresse|utilisateur|compte|boite * inconnu~|invalide|inexistant~|introuvable",
        "destinataire|adresse|utilisateur|compte|boite * n existe", "n existe pas|plus",
        "empfanger|empfaenger|adresse|postfach|benutzer|konto|empfangeradresse * unbekannt|existiert|gefunden|vorhanden|bekannt|ungultig",
        "usuario|cuenta|destinatario|buzon|direccion|casilla * no|inexistente existe|encontrado|encontrada|valido|valida", "usuario|cuenta|buzon|destinatario|caixa|conta inexistente|invalido|invalida",
        "no existe", "utente|casella|destinatario|indirizzo * inesistente|sconosciuta|trovato|trovata|esiste",
        "nao existe", "nao encontrado|encontrada", "nie istnieje", "nie znaleziono", "brak takiego", "nieznany uzytkownik|odbiorca",
        "пользователь|ящик|адрес|получатель * найден|существует|неизвестен", "нет такого",
        "resolver adr", "address lookup failed", "email name is not found", "wrong or no longer", "is not an active address",
        "user|recipient * isn|not|is in|on my|our list|directory", "not in * directory", "not present in directory",
        "not listed in * directory|domino", "bad destination mailbox|email|address", "no one at this|that address", "not one of our", "no longer * registered",
        "不存在", "查无此", "查無此", "无此", "無此", "没有此", "沒有此", "找不到", "未知用户", "未知用戶", "收件人无效", "收件人無效", "无效的收件人", "無效的收件人", "用户名错误", "收件地址错误", "存在しません", "存在しない", "存在いたしません", "見つかりません", "見つからない", "宛先不明", "宛先が不明", "宛先に該当", "該当するユーザー", "ユーザー不明", "使われておりません", "使用されておりません", "존재하지", "없는 사용자", "찾을 수 없",
    ]
    yes [
        "550 5.1.1 The email account that you tried to reach does not exist", "550 Unknown user a@b.example", "554 This user doesn't have a mail account",
        "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found", "550 Unrouteable address", "550 Benutzer unbekannt",
        "550 sorry, no mailbox here by that name", "550 user _unknown_", "550 <anna@x.example>: invalid mailbox",
        "550 收件人不存在", "550 指定されたユーザーは存在しません",
    ]
    no [
        "550 Mailbox is full", "550 message content not accepted", "550 5.7.1 your ip is blocked", "450 user is over quota",
        "550 we found no reverse name of your server",
    ]

    MailboxDisabled Clear [
        "account|mailbox|user|recipient|inbox|konto|compte|cuenta|boite|postfach|empfanger|casella|conta|buzon|destinataire|userid * disabled|suspended|inactive|deactivated|closed|terminated|expired|locked|frozen|blocked|discontinued|cancelled|canceled|deleted|removed|archived|archivee|desactive|desactivee|desactivada|desactivado|disattivata|gesperrt|deaktiviert|geloscht|suspendu|suspendido|suspendida|deshabilitada|deshabilitado|inactivo|inactiva|bloque|bloquee|bloqueada|dormant|abandoned|isblocked|paused|fermee|ferme|cloture",
        "email address * disabled|inactive|expired|closed|deactivated|deleted|suspended", "address is|has inactive|disabled|expired|been deactivated|disabled|deleted",
        "disabled|inactive|suspended|deactivated|closed|expired|dormant|terminated user|account|mailbox|recipient|address|email",
        "deactivated mailbox|account", "account|mailbox|address|recipient|user|email|employee|inbox * no longer active|accept|accepts|accepting|available|valid|in|exists|exist|works|employed|use|used|receives|monitored",
        "no longer accept|accepts|accepting mail|mails|email|emails|messages", "no longer valid|active|exists|available|in use",
        "extended inactivity", "due to inactivity|nonuse", "not been used|accessed for|since|in", "mailbox|account|user * not active|activated|enabled",
        "mail receiving disabled", "user is terminated", "not accepting any mail", "disabled or discontinued", "out of service|use",
        "has been disabled|deactivated|discontinued|terminated", "停用", "冻结", "凍結", "注销", "註銷", "邮箱已禁用", "账号已禁用", "账户已禁用", "帐号被禁用", "邮箱已关闭", "解約", "退会", "利用停止", "휴면", "해지",
    ]
    yes ["550 5.2.1 The email account that you tried to reach is disabled", "554 delivery error: This mailbox is disabled", "550 5.1.1 inactive user", "550 this address is no longer valid", "550 该账号已停用"]
    no ["554 your IP address has been blocked", "550 mail from this host was blocked", "452 mailbox full"]

    MailboxMoved Clear [
        "user|recipient|mailbox|account|address|person * moved|replaced|migrated", "has moved to", "moved to a new", "no longer at|with|on this|that|our|server|company|us",
        "has changed * address", "new address is", "new email address", "user not local please try", "has left the", "retired * address", "a change d adresse",
    ]
    yes ["551 5.1.6 user has moved to another address", "550 Recipient no longer on server"] no ["550 mail removed", "450 please try again"]

    HostUnknown Clear [
        "host|hostname unknown", "unknown host|domain", "domain unknown", "host or domain * not found", "domain|host|hostname * not found|exist|exists|existing",
        "domain|host does|do not accept mail|email|messages", "no such domain|host", "nxdomain", "nullmx", "null mx", "no mx record|records|found|for", "no valid mx", "unrouteable|unroutable mail|domain domain",
        "dns hard error", "domain name * not|unresolvable found|resolve|exist", "domain|host * unresolvable", "dead domain", "bad destination host|system", "invalid domain|host",
        "domain|host not resolve|known", "domain|host is not known|hosted|served", "recipient domain must exist", "domain * expired", "no route to domain", "domain is not valid|active",
    ]
    yes ["550 5.1.2 Host unknown", "550 5.4.4 Invalid domain", "smtp; 5.1.2 - Bad destination host 'DNS Hard Error looking up x (MX): NXDomain'", "556 5.1.10 Recipient address has null MX"]
    no ["550 5.1.8 Sender address rejected: x", "421 host busy"]

    // The address, in further words and languages.
    UserUnknown Clear [
        "user|recipient|mailbox|account|person not listed|registered in|on|at|with",
        "uzivatel|adresat|prijemce|schranka|postafiok|cimzett|felhasznalo neexistuje|neznamy|nenalezen|nenalezena|ismeretlen", "neexistuje", "nem letezik", "nem talalhato",
        "kullanici * yok|bulunamadi|mevcut|bilinmiyor", "kullanici bulunamadi", "anvandaren|mottagaren|brugeren|modtageren|brukeren|mottakeren|adressen finns|findes|finnes|eksisterer|existerar|okand|ukendt|ukjent", "finns|findes|finnes inte|ikke", "tuntematon vastaanottaja|kayttaja|osoite", "ei loydy", "ei ole olemassa",
        "utilizator|destinatar|adresa inexistent|inexistenta|necunoscut|invalid", "nu exista", "tidak ditemukan|terdaftar|dikenal", "khong ton tai", "mailbox|gebruiker|adres|postvak bestaat niet", "не існує", "не знайдено", "учетная|учётная|аккаунт|пользователя|получателя|адресата|ящика * найдена|существует|нет|не", "δεν υπαρχει", "לא קיים",
    ]
    yes ["550 Mailbox bestaat niet", "550 Adresát neexistuje", "550 Böyle bir kullanıcı yok", "550 Vastaanottajaa ei löydy", "550 Utilizator inexistent", "550 User x@y.example not listed in the directory"]
    no ["550 your IP is not listed in our records", "550 A postafiók megtelt"]

    MailboxDisabled Clear [
        "account|accounts|mailbox * purged|graduated|deceased|geblokkeerd|opgeheven|verwijderd", "user|person|student|employee|recipient|account|owner * graduated|deceased|died|retired|resigned", "policy rejection on the target|recipient address",
        "konto|skrzynka|schranka|postafiok|kontot|kontoen|tili|cont|hesap|hesabi|akun * zablokowane|zablokowana|usuniete|usunieta|nieaktywne|nieaktywna|zamkniete|zrusena|zruseno|zablokovana|zablokovano|letiltva|megszunt|avslutat|avstangt|inaktiverat|sparrat|deaktiveret|lukket|slettet|sperret|suljettu|poistettu|dezactivat|inchis|kapatildi|silindi|dinonaktifkan|diblokir", "ящик|аккаунт|запись|пользователь|пользователя|адрес * заблокирован~|отключен~|отключён~|удален~|удалён~|закрыт~|неактив~|деактивирован~|приостановлен~|вимкнен~|видален~",
        "por inactividad", "por inatividade", "za nieaktywnosc", "за неактивность",
    ]
    yes ["550 Аккаунт заблокирован", "550 Konto zostało zablokowane", "550 the student has graduated", "550 Policy rejection on the target address"]
    no ["550 IP заблокирован", "550 nadawca zablokowany", "550 Skrzynka jest pełna"]

    HostUnknown Clear [
        "domain|host|hostname * parked|discontinued|retired|expired", "no longer handle|handles|host|hosts|serve|serves|process mail|mails|email|emails|domain", "domain|host * accepts|receives|takes no mail|email|messages", "domain|host * doesn|does t|not receive|take|handle|accept mail|email|messages|any", "mail|email for|to this|that|the|your domain * off|disabled|discontinued|stopped",
    ]
    yes ["550 Domain x.example is parked", "550 we no longer handle mail for this domain", "550 domain x.example does not receive mail"]
    no ["550 this domain accepts mail of members", "550 user unknown", "550 no longer listed"]

    // The moment.
    MailboxFull Clear [
        "mailbox|account|inbox|user|recipient|postfach|maildir|boite|casella|buzon|caixa|storage|box|folder|konto|mailfolder|destinataire|skrzynka|mailbox~ * full|voll|pleine|piena|lleno|llena|cheia|pelna|overfull|overquota",
        "full mailbox|inbox", "over quota", "overquota", "over the|its|their|disk|allowed|storage * quota|limit", "quota * exceed~|violation|reached|full|limit|used|uberschritten|depasse|superado|excedida",
        "exceed~ * quota|storage|diskspace|space", "out of storage|space|disk", "no|insufficient|enough|sufficient|not * space|storage left|available|in|on|for|to", "insufficient storage|disk|space|quota",
        "not enough space|storage|room", "not|insufficient sufficient|enough * space|storage", "storage|space * limit|full|used|exhausted", "mailbox|account * size|storage|quota limit|exceeded|exceeds|maximum|too", "mailbox|account|inbox * exceed~", "mailbox would exceed", "disk full",
        "too much mail data", "too many messages|mails on|in|stored * server|mailbox|inbox", "quota", "quotas", "speicherplatz", "speicherlimit", "kontingent", "mailbox|inbox|maildir overfull|overflow",
        "переполнен", "ящик переполнен",
        "已满", "已滿", "空间不足", "空間不足", "容量", "配额", "配額", "いっぱい", "満杯", "空きがありません", "가득", "용량",
    ]
    yes ["552 5.2.2 user is over quota", "452-4.2.2 The recipient's inbox is out of storage space", "552 5.1.1 Boîte du destinataire pleine", "550 Postfach voll", "554 5.2.2 mailbox full", "552 对方邮箱已满", "552 メールボックスがいっぱいです"]
    no ["550 user unknown", "552 message too large", "550 full name of host required"]

    MailboxFull Clear [
        "mailbox|postvak|inbox|innboks|innboksen|postkasse|postkassen|postboks|inkorg|inkorgen|brevlada|brevladan|postilaatikko|postafiok|posta|casuta|schranka|skrzynka|kotak|kutusu|hop|casella|caixa|buzon|bandeja|ящик|скринька * vol|volle|full|fullt|fuld|fyldt|taynna|megtelt|tele|plina|plna|plny|pelna|penuh|dolu|doldu|day|piena|lotada|cheia|llena|переповнена|заполнен~|полон",
        "kvot~", "kotasi", "kiintio~", "quotum", "cuota", "cota", "квот~", "переполнен~", "переповнен~", "przepelnion~", "prekrocil~ * kvot~|limit", "asildi", "limite * armazenamento|almacenamiento|stockage|archiviazione", "armazenamento|almacenamiento|archiviazione * limite|cheio|lleno|atingido|excedido|superato|esaurito", "opslagruimte|lagringsplats|lagerplads|lagringsplass|uloziste",
    ]
    yes ["550 Postvak is vol", "550 Postkassen er fuld", "550 A postafiók megtelt", "550 Căsuța poștală este plină", "550 Hộp thư đã đầy", "550 Квота превышена", "550 cuota excedida del usuario", "550 Limite de armazenamento atingido"]
    no ["550 Mailbox bestaat niet", "550 volume of spam", "550 Konto nie istnieje"]

    TooMuchMail Clear [
        "too many errors|messages|connections|mails|emails|sessions|concurrent|requests|simultaneous|recipients|letters|smtp|mail|rcpt", "receiving|received mail|messages|email at a|too rate|quickly",
        "too quickly|fast|frequently|often|rapidly", "send|sending limit|quota", "rate control", "rate limit~|limited|exceeded|controlled|control", "ratelimit~", "rate limiting", "throttl~", "frequency limit~", "frequency limited", "excessive volume|rate|connections|messages|number",
        "slow down", "message|sending|connection|mail rate|limit|threshold", "exceed~ * rate|messages|connections|hour|hourly|daily|connection", "maximum * connections|messages|sessions|rate", "unexpected volume", "per hour|minute|day|second",
        "trop de connexions|messages|destinataires", "zu viele verbindungen|mails|nachrichten", "demasiados|demasiadas mensajes|conexiones|correos", "unusual rate|volume", "connection limit", "limit reached|exceeded",
        "will be rate|ratelimited limited", "mailbox * receiving too many", "频率", "頻率", "过于频繁", "過於頻繁", "过快", "過快", "过多", "過多", "太多", "次数超", "数量超", "送信数", "通数", "流量制限", "同時接続",
    ]
    yes ["450 4.2.1 The user you are trying to contact is receiving mail too quickly", "421 Too many connections, slow down", "450 4.2.1 The user is receiving mail at a rate that prevents more", "451 发信频率超过限制"]
    no ["550 user unknown", "554 poor reputation"]

    TooMuchMail Clear ["message|messages|mail|mails|email|emails|recipients|connections * this|per|each|every|in hour|minute|day|second|today", "message|mail|recipient|sending cap|caps", "throttle~"]
    yes ["550 too many recipients this hour", "550 Recipient is over the message cap for today"] no ["550 no mail from you", "554 your mail is spam"]

    Greylisted Clear [
        "greylist~", "graylist~", "grey|gray listed|listing|list", "postgrey", "greylisting", "graylisting", "greylisted", "grey rbl", "first * delivery attempt|contact", "temporarily deferred for * minutes", "unverified address", "policyd", "delay~ * unknown|new sender|senders", "wait * minutes * retry~|try|again",
    ]
    yes ["451 4.7.1 Greylisting in action, please come back later", "450 4.2.0 <a@b.example>: Recipient address rejected: Greylisted"] no ["550 gray is no user here", "554 blacklisted"]

    Loop Clear ["loop|loops|looping|looped|boucle|schleife|bucle", "too many hops", "too many received", "hop count", "hops exceeded", "hop limit"]
    yes ["554 5.4.14 Hop count exceeded - possible mail loop", "554 5.4.6 Too many hops"] no ["550 user hopper unknown"]

    Network Clear [
        "timed out", "timeout", "time out", "connection reset|timed|dropped|lost|failed|closed|died|terminated|broken|error", "unable|failed|cannot to|connect connect|to", "could|can not connect", "couldn t connect", "no route to host", "unreachable", "not reachable", "network error|problem", "network is down|unreachable|unavailable", "no answer from",
        "dns timeout|failure|error|failed|temporary|server", "unable to lookup", "lookup failure", "name server|servers * fail~|timeout|malformed|not", "server did not respond|answer", "did not respond", "not responding", "message expired", "delivery expired|time", "too long in|on", "message|been * in * queue too long",
        "retry timeout|time", "lost connection", "tls handshake|negotiation", "ssl handshake", "host|server * did|is not|down respond|responding", "unable to deliver in", "mail|message undeliverable for", "has been delayed", "connection refused",
    ]
    yes ["421 4.4.0 Unable to lookup DNS for x.example", "451 4.4.2 timeout exceeded", "554 4.4.7 Message expired: unable to deliver in 840 minutes."] no ["550 user unknown", "554 your host is not authorised"]

    TemporarilyUnavailable Clear [
        "account|mailbox|user|recipient|inbox|address * temporarily|temporary unavailable|disabled|locked|suspended|inactive|blocked|deferred|not|deactivated|hold|restricted|down", "system|server|service|mailbox|host|resources|user|queue busy|overloaded|congested", "too busy", "overloaded", "overload", "uberlastet", "surcharge", "sobrecargado",
        "temporarily busy|overloaded", "insufficient system|server resources|storage|memory", "internal|local server|error error|in", "internal error", "server * maintenance", "mail|system|server system|full full", "maintenance|wartung|wartungsarbeiten", "mailbox * busy|maintenance", "queue file|full", "not * mdb", "temporary local|system|internal problem|failure|error",
        "temporarily inactive", "server|service|system temporarily|currently unavailable|not", "server|service|system|resources is|are temporarily|currently unavailable|not", "high load", "configuration error|problem", "misconfigured", "resources temporarily",
    ]
    yes ["421 4.3.2 Server busy", "451 4.3.0 Temporary system problem", "450 4.2.0 mailbox temporarily unavailable"] no ["550 user unknown", "554 5.7.1 blocked"]

    // A part of the receiver's own system fails. Whatever part it is, neither the mailbox nor the sender is at fault.
    TemporarilyUnavailable Clear [
        "load average|too", "backend|backends|database|datastore|db|mysql|sql|postgres|redis|ldap|directory|store|storage|cluster|node|scanner|antivirus|milter|dovecot|lmtp|quota|policy|authentication|auth|content|filter|spam * server|service|daemon|backend|socket|process error|unavailable|unreachable|down|offline|failed|failure|crashed|timeout|problem",
        "backend|database|datastore|db|sql|mysql|postgres|redis|ldap|store|storage|cluster|node|scanner|antivirus|milter|disk|filesystem|lmtp|spooler error|errors|failure|failed|unavailable|unreachable|down|offline|problem|dismounted|corrupt|corrupted|crashed",
        "scanner|antivirus|milter|scan|store|database|backend * is|has|did|could|not unavailable|failed|down|offline|dismounted|crashed|restarting|unreachable|available|responding|respond|not", "cannot fork|open|access|write|read|reach|contact|allocate|lock|query", "unable|failed|could|can to|not|t contact|reach|query|open|access|write|read|create|fork|allocate|fsync|lock|chdir|execute", "out of memory|resources|processes|descriptors|sockets", "i o error", "write|read|open|io|disk|fork|filesystem|file error|errors|failed|failure",
        "shutting|going|powering down", "restarting|rebooting|restarted|failover", "starting|not up|ready", "internal|unexpected|fatal|unhandled failure|failures|problem|exception|condition", "mailbox|account|maildir|user|store * locked|used|opened|accessed by another|other|process|session|client|pop|imap", "mailbox|account|maildir|user * in use by", "lock|locking timeout|failed|error",
        "mailbox|account|user|recipient * being|currently|still moved|migrated|relocated|restored|upgraded|rebuilt|transferred|repaired", "mailbox|account|user|recipient * under migration|maintenance|restore|repair", "currently|is|are being moved|migrated|relocated|restored|upgraded|rebuilt|transferred|repaired", "сервер|система|сервис * перегружен~|недоступ~|занят~",
    ]
    yes [
        "550 load average too high", "550 backend unavailable", "550 database error while looking up user", "550 service shutting down", "550 mailbox is locked by another process", "550 the mailbox is currently being moved",
        "550 policy server unavailable", "550 unable to contact authentication backend", "550 cannot fork", "550 mailbox store is dismounted", "550 Сервер перегружен",
    ]
    no ["550 mailbox is locked", "550 user has moved", "550 LDAP lookup failed: not found", "550 5.7.1 policy violation", "550 authentication failed"]

    TemporarilyUnavailable Weak ["service unavailable", "service not available", "unable to accept", "not accepting messages|mail|connections", "cannot accept", "nicht erreichbar"]
    yes ["554 Service unavailable"] no ["550 user unknown"]

    TemporarilyUnavailable Faint [
        "try|retry later|again", "try * later|again", "later", "again", "temporar~", "temporaire~", "temporan~", "retry", "deferred", "vorubergehend", "spater", "voruebergehend", "spaeter", "mas tarde", "plus tard", "piu tardi", "mais tarde", "позже", "временно", "稍后", "稍後", "稍候", "重试", "重試", "暂时", "暫時", "临时", "臨時", "しばらく", "後ほど", "時間をおいて", "再送", "一時的", "잠시 후", "일시적",
    ]
    yes ["550 please try later", "550 Veuillez essayer plus tard", "451 temporarily not possible", "450 しばらくしてから再送してください"] no ["550 user unknown"]

    TemporarilyUnavailable Faint [
        "probeer * opnieuw|later", "tijdelijk~", "forsok igen", "senare", "tillfallig~", "prov igen", "senere", "midlertidig~", "forsok igjen", "sprobuj", "ponownie", "pozniej", "tymczasow~", "zkuste", "pozdeji", "docasn~", "neskor", "daha sonra", "tekrar", "gecici~", "myohemmin", "valiaikai~", "tilapai~", "kesobb", "ideiglenes~", "atmeneti~", "mai tarziu", "coba lagi", "sementara", "thu lai", "попробуйте", "повторите", "позднее", "временн~", "пізніше", "тимчасов~", "спробуйте", "αργοτερα", "attempts exhausted",
    ]
    yes ["550 försök igen senare", "550 prosím zkuste později", "550 lütfen daha sonra deneyin", "550 spróbuj ponownie później", "550 попробуйте позднее"] no ["550 Konto nie istnieje", "550 Брак"]

    // Where no pattern says more, a text that speaks of the mail and of no mailbox is no proof against the address.
    Policy Faint [
        "message|messages|mail|mails|email|emails|mailserver|sender|senders|server|host|hosts|network|ip|client|connection|domain|delivery|site|nachricht|courrier|mensaje|mensagem|messaggio|correo",
    ]
    yes ["550 this message is not for us", "550 what a sender"] no ["550 anna is gone", "550 message to a mailbox is odd"]

    // The words of storage alone; nobody without a mailbox runs out of it.
    MailboxFull Weak [
        "space", "storage", "capacity", "full", "voll", "uberfullt", "ueberfuellt", "speicher~", "espace disque", "insuffisant", "espacio", "spazio", "espaco", "lotado", "esgotado", "saturado", "saturee",
    ]
    yes ["550 Mailbox at 100% of capacity", "552 Postfach überfüllt", "552 Espace disque insuffisant"] no ["550 user unknown", "554 spam"]

    TemporarilyUnavailable Weak ["busy", "offline", "maintenance", "at the|this moment", "at present", "momentan", "en ce moment", "outage", "繁忙", "混雑", "混み合って", "メンテナンス", "维护"]
    yes ["550 the post office is offline"] no ["550 user unknown"]

    TooMuchMail Weak ["limit * exceeded|reached|erreicht|uberschritten", "hourly|daily limit", "limit exceeded|reached", "session * limit"]
    yes ["550 hourly limit for this recipient exceeded"] no ["550 user unknown"]

    // The message.
    Size Clear [
        "message|mail|email|attachment|messages|letter|it too|is large|big|long|too", "too large|big", "太大", "过大", "過大", "大きすぎ", "サイズ", "message|mail|email|maximum|max size", "size * exceed~|limit|maximum|larger", "exceed~ * size", "maximum message", "length exceeds", "taille * message|limite|maximale", "zu gross", "demasiado grande", "muito grande", "troppo grande", "larger than the",
    ]
    yes ["552 5.3.4 Message size exceeds fixed limit", "552 message too large", "554 Taille limite du message atteinte"] no ["552 5.2.2 mailbox size limit exceeded", "550 user unknown"]

    Content Clear [
        "virus|viruses|malware|trojan|infected|virusscan~", "病毒", "附件", "添付ファイル", "ウイルス", "ウィルス", "attachment|attachments * not|blocked|rejected|type|forbidden|extension|allowed|prohibited|denied", "illegal|banned|forbidden|prohibited|executable attachment|file|files|extension|attachments|content", "content * rejected|denied|unacceptable|refused|blocked|filter|presents|error|accepted|allowed|policy|inappropriate|prohibited",
        "message content", "unacceptable|inappropriate|objectionable content", "header|headers * syntax|invalid|missing|error|malformed|too|duplicate|compliant|accepted|required|not", "invalid|missing|malformed|duplicate|bad|improper header|headers", "malformed mime|message|mail|header", "mime", "not rfc compliant|conformant|valid", "rfc compliant|compliance|violation", "not * compliant", "bare lf|cr|linefeed|line|newline",
        "url|urls|link|links|domain * listed|blacklisted|found in|on|uribl|surbl", "uribl|surbl|urlbl|urlbl~", "executable", "invalid characters", "line too|length|limit long|exceeded|exceeds", "8bit", "potential security issue", "message was blocked because * content", "single from", "multiple from", "body * rejected|denied", "contains * url|link|attachment|virus", "mail|message content denied",
    ]
    yes ["552 5.7.0 This message was blocked because its content presents a potential security issue", "550 virus found", "550 5.6.11 Invalid characters", "554 attachment type not allowed"]
    no ["550 user unknown", "554 5.7.1 spam content rejected here"]

    Protocol Clear ["syntax error", "bad sequence", "command unrecognized|not|unrecognised", "unrecognized|unrecognised|unknown command", "bad command", "smtputf8"]
    yes ["501 5.5.4 Syntax error in parameters"] no ["550 user unknown"]

    // The sender.
    SenderBlocked Clear [
        "blacklist~", "black list|listed|lists|listing", "blocklist~", "block list|listed|lists", "blacklistis", "denylist~", "dnsbl~", "dnsbls", "rbl~", "rbls", "attrbl", "banned", "spamhaus", "spamcop", "sorbs", "xbl", "pbl", "sbl", "cbl", "uceprotect", "barracuda", "cloudmark", "senderscore", "senderbase", "mailspike", "invaluement",
        "reputation", "spam~", "antispam", "rspamd", "ham", "junk", "junkmail", "unsolicited", "bulk mail|email|mailing|advertising|mailer", "mass mail|mailing|mailer", "ube|uce", "abusive", "abuse", "complaints", "suspicious", "suspected", "phish~", "scam", "dynamic ip|ips|address|range", "open relay|proxy", "blocked", "blocking", "block for|sender|ip|due", "bloquee", "bloquees", "bloques", "bloque", "bloqueado", "bloqueada", "bloqueados", "bloccat~", "gesperrt", "geblockt", "blockiert", "zablokowan~", "заблокирован~", "спам~",
        "黑名单", "黑名單", "垃圾", "拒收", "被封", "封禁", "封锁", "封鎖", "屏蔽", "攔截", "拦截", "挂起", "信誉", "信譽", "受信拒否", "迷惑メール", "ブロック", "ブラックリスト", "スパム", "レピュテーション", "拒否リスト", "스팸", "차단", "블랙리스트",
        "listed", "sperrliste", "liste noire", "lista negra|nera", "client host * rejected|denied|refused", "client host rejected", "ptr", "rdns", "reverse dns|lookup|resolution|record|hostname", "reverse dns * fail~|error|missing|required|not|match", "cannot find your hostname", "hostname * not * resolve|match", "helo|ehlo",
        "not accepting|accept|accepted * from|your ip|server|host|ips", "too many invalid|unknown|bad|nonexistent|unsuccessful|spam recipients|users|user|recipient|addresses|complaints", "harvest~", "harvesting", "blocked|rejected|refused|declined by recipient|user", "recipient|user|account|mailbox has|have blocked|rejected your|this|you|sender|the", "recipient|user * blocked|reject|rejects|refuse|refuses|refuses|accept you|your|this|mail|messages|mails from|sender|mail",
        "you have been blocked", "not in * whitelist|allowlist", "ip|ips * rejected|refused|denied|barred|prohibited|allowed|bad|permitted|disallowed|forbidden|listed|refuse|rejete", "your ip|server|host|network|isp * rejected|denied|refused|allowed|bad|poor|permitted|restricted|barred|disabled|identified|looks|refuse",
        "abus detecte", "extreme bad", "senderfilterconfig", "problem occurred ask|contact", "poor|low sender|score|senders", "bad score", "not allowed to connect", "your access to * mail|email|e|system", "submit messages to this", "hosts with dynamic", "mail relay * blocked", "probable|likely|suspected spam", "content * spam", "message content * spam", "mail content * spam", "spam * content|contents|virus|rejected", "spam|junk * rejected|denied", "virus spam|or spam", "outbreak", "ip not in", "access from * blocked", "deny|denied list", "likely suspicious", "network * on our", "unexpected * complaints", "low|very quality", "low quality", "honeypot", "spamtrap", "spam trap", "bulk sender|senders", "advertisement|advertising", "werbung", "rejected * content * spam",
    ]
    yes [
        "554 Your IP 192.0.2.7 is blacklisted", "553 alph1 DNSBL:RBL 521< 192.0.2.7 >_is_blocked.For assistance", "550 5.7.1 Service unavailable; client [192.0.2.1] blocked using zen.spamhaus.org",
        "554 poor reputation of the sending MTA", "550 spam message rejected", "554 5.7.1 Client host rejected: no PTR", "553 https://www.spamhaus.org/query/ip/192.0.2.1", "550 Adresse IP source bloquée", "550 Spamverdacht", "550 您的IP已被列入黑名单", "550 受信拒否設定のため",
    ]
    no ["550 user u@blockchain.example.org unknown", "550 mailbox is full", "550 roadblocks here", "550 unblocked", "550 see https://example.org/blocked"]

    // The sender, in further words and languages.
    SenderBlocked Clear [
        "whitelist~", "allowlist~", "safelist~", "white|allow|safe|approved|permit list|lists|listed", "geoip~", "geo ip|block|blocking|location|fence|fencing", "geolocation", "asn", "firewall", "your|sender|sender|sending|client|remote * misconfigured|misconfiguration|ptr",
        "zwarte lijst", "geblokkeerd~", "blokovan~", "zablokovan~", "cerna listina", "cernem seznamu", "nevyzadan~", "engellen~", "kara liste~", "blockerad~", "svartlist~", "skrappost", "blokeret", "sortlist~", "blokkert", "estetty", "mustalla listalla", "roskaposti~", "blokkol~", "tiltolistan", "feketelist~", "levelszemet", "blocat~", "diblokir", "daftar hitam", "черн~|чёрн~ список|списке|списка", "чорн~ список|списку", "заблокован~", "блокировк~", "репутац~", "danh sach den",
    ]
    yes ["550 Not in recipient's allow list", "550 GeoIP rejection", "550 uw server staat op een zwarte lijst", "550 Ваш сервер в чёрном списке", "550 IP adresiniz engellenmistir", "550 lähettäjä estetty"]
    no ["550 Аккаунт не найден", "550 Postvak is vol", "550 list is unknown"]

    SenderAuthentication Clear [
        "spf", "dkim", "dmarc", "authentication", "authenticate", "authentification", "authentifizierung", "unauthenticated", "not authenticated", "authentication * fail~|required|check|checks|verification|results|information|not|pass", "authenticate|authenticated * spf|dkim|with", "sender policy framework", "domainkeys", "sender id", "not|isn authorized|authorised|t to|authorized send|use|to|deliver", "not * authorized|authorised to send|relay|use", "unauthorized|unauthorised sender|ip|host|server", "spoof~", "spoofing", "rejected by * spoofing policy", "forged|forgery", "impersonat~", "not|never permitted|allowed|designated to|sender send|be", "fail~ * authentication", "dkim signature", "alignment", "authentication required", "authentification requise|invalide", "was not authenticated", "验证失败", "驗證失敗", "认证失败", "認證失敗", "身份验证", "認証", "なりすまし", "伪造", "偽造", "인증",
    ]
    yes ["550-5.7.26 This mail is unauthenticated", "550 Rejected, SPF/DKIM authentication failed", "550 5.7.1 rejected due to DMARC policy"] no ["550 user unknown", "550 spfeldmann is no user"]

    SenderRefused Clear [
        "sender address|domain|verify|verification|callout|email|mail", "sender rejected|refused|denied|invalid|unknown|is|was|not|unauthorized|does|unverified|must|must|blocked|has", "sender s|for address|domain|mail", "sender * address|domain * found|exist|exists|exists|valid|resolve|resolved", "sender|senders * rejected|refused|denied|invalid|abgelehnt|accepted",
        "invalid|bad|illegal|unverified|unknown|unroutable|unresolvable|rejected sender", "domain of sender|from", "domain of sender * exist|resolve|found|mx", "mail from * rejected|refused|invalid|not|denied|owned", "from address|domain|addresses * rejected|invalid|missing|does|blocked|exist|allowed|valid", "from domain * exist|resolve|found|invalid", "from domain is invalid",
        "absender|absenders|absenderadresse|absenderdomain|emetteur|expediteur|remitente|mittente|remetente|nadawca|отправител~ * abgelehnt|abgewiesen|zuruckgewiesen|zurueckgewiesen|verweigert|nicht|invalid~|inexistant~|inexistente|unbekannt|refus~|rejet~|bloque~|rechazad~|rejeitad~|rifiutat~|verify|ungultig|ungueltig|existiert|gesperrt|inconnu~|odrzucony|отклонен~|заблокирован~",
        "发件人", "發件人", "寄件人", "寄件者", "发信人", "发件域", "发信域", "送信元", "送信者", "差出人", "발신자", "보낸 사람", "envelope sender|from", "originator", "return path|address", "bounce address", "can t|could|cannot not|verify|verify verify|sender|sender", "could not verify * sender", "unroutable sender address", "mail from address", "your email|mail|domain address|domain|has * rejected|blacklisted|denied|not|refused|blocked", "valid sender", "verification of * sender", "permission|permissions to send|submit", "sending domain", "from address",
    ]
    yes ["550 5.1.8 <a@b.example>: Sender address rejected: Domain not found", "550 Sender verify failed", "501 Emetteur invalide. Invalid Sender.", "550 Adresse de l'expéditeur refusée: domaine inexistant", "553 发件人域名不存在"] no ["550 user unknown", "550 returned to you"]

    // "Does not exist" may be about anything in a script without spaces. These words say that it is about the sender's
    // side.
    SenderAuthentication Clear ["记录", "記錄", "紀錄", "レコード", "逆引き", "反向", "逆向", "레코드", "역방향", "ポリシー"]
    yes ["550 SPF记录不存在", "550 PTR记录不存在", "550 IPアドレスの逆引きが見つかりません", "550 DMARCポリシーが見つかりません"] no ["550 收件人不存在", "550 ユーザーが見つかりません"]

    SenderRefused Clear ["您的域名", "你的域名", "发件域名", "发送域名", "發件網域", "寄件網域", "送信ドメイン", "送信元ドメイン", "お客様のドメイン", "貴社のドメイン", "발신 도메인", "발신도메인"]
    yes ["550 5.7.1 您的域名不存在，拒绝接收", "550 送信ドメインが存在しません"] no ["550 收件人不存在", "550 宛先ドメインが見つかりません"]

    Content Clear ["链接", "鏈接", "連結", "リンク", "링크"]
    yes ["550 邮件中的链接不存在"] no ["550 收件人不存在"]

    TemporarilyUnavailable Clear ["服务暂", "服務暫", "服务停", "服務停", "サービス停止", "サービスを停止", "サービスが停止", "서비스 중단"]
    yes ["550 服务暂时停用，请稍后再试"] no ["550 该账号已停用"]

    Relaying Clear ["relay access denied", "relay~ * denied|not|prohibited|forbidden|disallowed|permitted|refused|rejected", "relaying denied", "unable|not|cannot|refuse|allowed|permitted|configured|wont to|relay relay|mail|through|for", "not to relay", "no relaying|relay", "we do|don not|t relay", "not permitted|allowed to relay", "rcpthosts", "not a gateway", "don t|not handle mail|email for", "domain * not hosted|served|local here", "not * served|local domain|host", "not an open relay"]
    yes ["550 5.7.1 Unable to relay", "553 sorry, that domain isn't in my list of allowed rcpthosts", "554 Relay access denied"] no ["550 user unknown"]

    Policy Clear [
        "policy|policies reason|reasons|violation|violations|rejection|restriction|restrictions|block|prohibits|prohibited", "violat~ * policy|policies|rule|rules", "administrative|administratively prohibition|prohibited|denied|rejected|block", "administrative prohibition", "transport rule|rules", "rule imposed", "user rules", "members only", "members|subscribers * only|allowed|can", "non member", "closed mailing list", "not * subscribed|authorized|member|allowed to|of list|this|post|send", "tls|starttls|encryption required|is|must|not",
        "restricted recipient|address|sender|to", "only accepts|accepting|accept * from|internal|authenticated", "only accepting * from", "accepts mail|messages|email only from", "recipient preferences", "local policy", "security policy|policies", "company|organization|organisation|organizational|organisational|domain|site|server|email|corporate policy|policies|settings", "due to policy", "against our", "geographic~ location", "country", "protected by", "rst notauthorized|senderrestrictions", "confirm~ * this|you", "challenge", "captcha", "security reasons", "approuv~|policyviolation", "rejected by * rule|filter|filters|gateway|system|policy", "message filtered",
    ]
    yes ["554 5.7.1 Message rejected due to local policy", "550 Email not accepted for policy reasons", "550 Administrative prohibition"] no ["550 user unknown", "450 mailbox busy"]

    Policy Weak [
        "policy|policies|richtlinie|richtlinien|politique", "rejected", "reject", "rejects", "rejecting", "rejete", "unwelcome", "untrusted", "trusted", "declined", "barred", "unwanted", "permission", "permissions", "terms", "rules", "usage", "members", "comply", "region", "risk", "not|t|never accept|accepts|accepted|accepting", "nicht akzeptiert|angenommen|erwunscht|erlaubt|zulassig", "pas accepte|autorise", "no aceptado|permitido|autorizado|acepta", "not aligned", "verification", "outside", "external", "not taking|wanting mail|mails|messages|email", "disallowed", "no access", "access denied", "denied", "not accepted|allowed|permitted|authorized|authorised|welcome|wanted|acceptable", "rejected by", "unauthorized", "prohibited", "forbidden", "go away", "filter|filters", "dropped|discarded|thrown", "abgewiesen|zuruckgewiesen|zurueckgewiesen", "拒绝", "拒絕", "拒否", "禁止", "不允许", "不允許", "許可されて", "거부", "message|mail|email|messages|mails|delivery|service|transaction|connection|connections|courrier|nachricht|session rejected|refused|denied|rejete|refuse|abgelehnt|verweigert|declined|discarded", "message|mail|email|delivery|mails|messages|nachricht * rejected|refused|denied|abgelehnt|annahme|declined", "refused", "refuse to accept", "annahme verweigert", "rejected your|this|the", "rejected for", "reject mail|message|id", "filtered", "unacceptable", "rechazado", "rejeitad~", "rifiutat~", "odrzucon~", "отклонен~",
    ]
    yes ["550 5.0.0 Access denied", "550 message rejected", "554 not allowed"] no ["550 user unknown", "450 busy"]

    Policy Weak [
        "geweigerd", "afgewezen", "niet toegestaan|geaccepteerd", "odmitnut~", "zamitnut~", "neni povolen~", "reddedil~", "izin verilmiyor", "avvisad~", "nekad~", "tillats|tillaten inte", "ej tillaten", "afvist", "nægtet", "avvist", "nektet", "hylatty", "evatty", "elutasit~", "respins~", "refuzat~", "ditolak", "tu choi", "відхилен~", "запрещен~", "запрещён~", "заборонен~", "отказано", "no|nao|non * autorizado|autorizada|permitido|permitida|autorizzato|consentito", "απορριφθηκε",
    ]
    yes ["550 Bericht geweigerd", "550 Zprava odmitnuta", "550 Afsender afvist", "550 Viesti hylätty", "550 el servidor remitente no esta autorizado"] no ["550 Postkassen er fuld", "550 user unknown"]

    // Words about the address that some servers say of a sender as well.
    UserUnknown Weak [
        "mailbox unavailable|unavaiable|error|invalid", "mailbox|account|user|recipient|address|inbox * unavailable", "mailbox * not available|accessible", "address|addresses|recipient|recipients|destination|rcpt|user rejected|invalid|error|refused|incorrect|wrong|bad", "recipient|recipients * rejected|refused|accepted|denied|ok", "invalid|bad|wrong|incorrect|illegal|rejected address|addresses|email|destination|recipient|recipients", "action not taken mailbox", "user * rejected|refused|accepted|accept", "does|do|doesn not|t exist", "not exist", "not found", "non existent", "unable|cannot|can|could to|deliver|not|t deliver|to|deliver|deliver * recipient|user|mailbox|address", "bad address", "account not available", "adresse invalide",
    ]
    yes ["550 Requested action not taken: mailbox unavailable", "550 <a@b.example> recipient rejected", "550 address rejected"] no ["450 server busy", "554 spam"]
}
