"""smtplib, imaplib and poplib against one platform: mail_client.py ENDPOINTS_FILE.

The certificate is verified against the platform's CA and its address on every connection.
"""

import email.message
import email.policy
import imaplib
import json
import poplib
import smtplib
import ssl
import sys
import time

with open(sys.argv[1], encoding="utf-8") as file:
    ENDPOINTS = json.load(file)
SITE = ENDPOINTS["sites"][0]
HOST = SITE["host"]
TLS = ssl.create_default_context(cafile=ENDPOINTS["ca"])
ALICE, BOB, CAROL = (account["login"] for account in SITE["accounts"])
PASSWORD = SITE["accounts"][0]["password"]
PATIENCE = 30

TEXT = ".a line with a dot\r\nGrüße aus dem Norden\r\n..two dots\r\n"


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def ok(answer):
    status, data = answer
    expect(status == "OK", answer)
    return data


def letter(sender, recipient, subject):
    message = email.message.EmailMessage(policy=email.policy.SMTP)
    message["From"], message["To"], message["Subject"] = sender, recipient, subject
    message["Message-ID"] = f"<{subject}@client.test>"
    message.set_content(TEXT, cte="8bit")
    return message


def a_wrong_password_is_refused():
    with smtplib.SMTP(HOST, SITE["submission"], timeout=PATIENCE) as smtp:
        smtp.starttls(context=TLS)
        try:
            smtp.login(ALICE, "wrong")
        except smtplib.SMTPAuthenticationError as error:
            expect(error.smtp_code == 535, error)
        else:
            raise AssertionError("a wrong password logs in")
    with imaplib.IMAP4_SSL(HOST, SITE["imaps"], ssl_context=TLS) as imap:
        try:
            imap.login(ALICE, "wrong")
        except imaplib.IMAP4.error as error:
            expect("AUTHENTICATIONFAILED" in str(error), error)
        else:
            raise AssertionError("a wrong password logs in")


def submit():
    """One letter to bob with STARTTLS, one to carol and bob with TLS; a stranger's address is not ours to send from."""
    with smtplib.SMTP(HOST, SITE["submission"], timeout=PATIENCE) as smtp:
        smtp.starttls(context=TLS)
        for extension in ("size", "8bitmime", "pipelining", "auth"):
            expect(smtp.ehlo()[0] == 250 and smtp.has_extn(extension), f"no {extension}")
        smtp.login(ALICE, PASSWORD)
        expect(smtp.send_message(letter(ALICE, BOB, "first")) == {}, "a recipient was refused")
    with smtplib.SMTP_SSL(HOST, SITE["submissions"], timeout=PATIENCE, context=TLS) as smtp:
        smtp.login(ALICE, PASSWORD)
        refused = smtp.send_message(letter(ALICE, CAROL, "second"), to_addrs=[CAROL, BOB, f"nobody@{SITE['domains'][0]}"])
        expect([reply[0] for reply in refused.values()] == [550], refused)
        try:
            smtp.send_message(letter(BOB, CAROL, "forged"), from_addr=BOB)
        except (smtplib.SMTPSenderRefused, smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError) as error:
            expect("5" in str(error), error)
        else:
            raise AssertionError("alice may send as bob")


def wait_for(imap, number):
    """NOOP until the selected mailbox has so many messages."""
    deadline = time.monotonic() + PATIENCE
    while int(ok(imap.select("INBOX"))[0]) < number:
        expect(time.monotonic() < deadline, f"{number} messages did not arrive")
        time.sleep(0.05)


def the_same(octets):
    message = email.message_from_bytes(octets, policy=email.policy.SMTP)
    expect(message["Return-Path"] == f"<{ALICE}>", message["Return-Path"])
    got = message.get_content().replace("\r\n", "\n")
    expect(got == TEXT.replace("\r\n", "\n"), repr(got))
    return message["Subject"]


def read_by_imap():
    with imaplib.IMAP4(HOST, SITE["imap"]) as imap:
        ok(imap.starttls(ssl_context=TLS))
        ok(imap.login(BOB, PASSWORD))
        wait_for(imap, 2)
        numbers = ok(imap.search(None, "UNSEEN", "SUBJECT", "first"))[0].split()
        expect(len(numbers) == 1, numbers)
        first = numbers[0].decode()
        header = ok(imap.fetch(first, "(BODY.PEEK[HEADER.FIELDS (SUBJECT)] RFC822.SIZE)"))
        expect(b"Subject: first" in header[0][1], header)
        expect(ok(imap.search(None, "SEEN")) == [b""], "PEEK sets \\Seen")
        body = ok(imap.fetch(first, "(RFC822)"))[0][1]
        expect(the_same(body) == "first", body)
        expect(ok(imap.search(None, "SEEN"))[0].decode() == first, "RFC822 sets \\Seen")
        folders(imap, first)
        ok(imap.close())
    with imaplib.IMAP4_SSL(HOST, SITE["imaps"], ssl_context=TLS) as imap:
        ok(imap.authenticate("PLAIN", lambda _: f"\0{BOB}\0{PASSWORD}".encode()))
        expect(ok(imap.select("INBOX", readonly=True)) == [b"1"], "the deleted message is still there")
        expect(ok(imap.select("Kept")) == [b"2"], "the copies are gone")
        data = ok(imap.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])"))
        expect(b"\\Flagged" in data[0][0], data)
        expect(sum(b"Subject: appended" in part[1] for part in data if isinstance(part, tuple)) == 1, data)


def folders(imap, first):
    """CREATE, LIST, STATUS, COPY, APPEND, STORE, EXPUNGE."""
    ok(imap.create("Kept"))
    ok(imap.subscribe("Kept"))
    expect(any(b"Kept" in line for line in ok(imap.list())), "the new mailbox is not listed")
    expect(any(b"Kept" in line for line in ok(imap.lsub())), "nor subscribed")
    ok(imap.store(first, "+FLAGS", "(\\Flagged $Work)"))
    ok(imap.copy(first, "Kept"))
    appended = letter(BOB, BOB, "appended").as_bytes()
    ok(imap.append("Kept", "(\\Seen)", imaplib.Time2Internaldate(time.time()), appended))
    status = ok(imap.status("Kept", "(MESSAGES UNSEEN)"))[0]
    expect(b"MESSAGES 2" in status and b"UNSEEN 0" in status, status)
    ok(imap.store(first, "+FLAGS.SILENT", "(\\Deleted)"))
    expect(ok(imap.expunge()) == [first.encode()], "EXPUNGE tells another number")


def read_by_pop3():
    pop = poplib.POP3(HOST, SITE["pop3"], timeout=PATIENCE)
    pop.stls(context=TLS)
    expect("UIDL" in pop.capa() and "TOP" in pop.capa(), pop.capa())
    pop.user(CAROL)
    pop.pass_(PASSWORD)
    count, size = pop.stat()
    expect(count == 1, count)
    uid = pop.uidl()[1][0].split()[1]
    _, lines, octets = pop.retr(1)
    expect(octets == size, f"RETR has {octets} octets, STAT says {size}")
    expect(the_same(b"\r\n".join(lines) + b"\r\n") == "second", lines)
    expect(b"Subject: second" in pop.top(1, 0)[1], "TOP has no subject")
    pop.dele(1)
    pop.rset()
    pop.quit()
    pop = poplib.POP3_SSL(HOST, SITE["pop3s"], timeout=PATIENCE, context=TLS)
    pop.user(CAROL)
    pop.pass_(PASSWORD)
    expect(pop.uidl()[1] == [b"1 " + uid], "the unique id has changed, or RSET does not hold")
    pop.dele(1)
    pop.quit()
    pop = poplib.POP3_SSL(HOST, SITE["pop3s"], timeout=PATIENCE, context=TLS)
    pop.user(CAROL)
    pop.pass_(PASSWORD)
    expect(pop.stat() == (0, 0), "DELE and QUIT do not delete")
    pop.quit()


def main():
    a_wrong_password_is_refused()
    submit()
    read_by_imap()
    with imaplib.IMAP4_SSL(HOST, SITE["imaps"], ssl_context=TLS) as imap:
        ok(imap.login(CAROL, PASSWORD))
        wait_for(imap, 1)
    read_by_pop3()


main()
