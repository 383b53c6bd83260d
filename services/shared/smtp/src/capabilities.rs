//! What a server offers in its answer to EHLO (RFC 5321 4.1.1.1), as a client reads it.

use crate::reply::Reply;

/// The extensions our client knows how to use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// What the server calls itself: the first word of the first line.
    pub server_name: String,
    /// Commands may be sent in groups (RFC 2920).
    pub pipelining: bool,
    /// `SIZE`: known to the server, with the largest message it takes, if it told (RFC 1870).
    pub size: Option<Option<u64>>,
    /// 8-bit bodies are taken (RFC 6152).
    pub eight_bit_mime: bool,
    /// TLS can be started (RFC 3207).
    pub start_tls: bool,
    /// Replies carry enhanced codes (RFC 2034).
    pub enhanced_status_codes: bool,
    /// SASL mechanisms in upper case, in the server's order (RFC 4954).
    pub auth: Vec<String>,
}

impl Capabilities {
    /// Reads the positive reply to EHLO; keywords in any case, unknown ones are skipped.
    #[must_use]
    pub fn parse(reply: &Reply) -> Self {
        let mut lines = reply.lines();
        let server_name = lines.next().and_then(|line| line.split_ascii_whitespace().next()).unwrap_or("");
        let mut capabilities = Self { server_name: server_name.to_owned(), ..Self::default() };
        for line in lines {
            capabilities.keyword(line);
        }
        capabilities
    }

    /// Whether the server offers a mechanism, given in upper case.
    #[must_use]
    pub fn offers(&self, mechanism: &str) -> bool {
        self.auth.iter().any(|offered| offered == mechanism)
    }

    fn keyword(&mut self, line: &str) {
        // Some old servers write "AUTH=LOGIN PLAIN".
        let line = line.to_ascii_uppercase().replacen("AUTH=", "AUTH ", 1);
        let mut words = line.split_ascii_whitespace();
        match words.next() {
            Some("PIPELINING") => self.pipelining = true,
            Some("SIZE") => {
                self.size = Some(words.next().and_then(|size| size.parse().ok()).filter(|&size| size > 0));
            }
            Some("8BITMIME") => self.eight_bit_mime = true,
            Some("STARTTLS") => self.start_tls = true,
            Some("ENHANCEDSTATUSCODES") => self.enhanced_status_codes = true,
            Some("AUTH") => {
                for mechanism in words {
                    if !self.offers(mechanism) {
                        self.auth.push(mechanism.to_owned());
                    }
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_of_a_large_server_is_read() {
        let reply = Reply::plain(250, "mx.south.test at your service, [::1]")
            .line("SIZE 35882577")
            .line("8BITMIME")
            .line("starttls")
            .line("ENHANCEDSTATUSCODES")
            .line("PIPELINING")
            .line("AUTH PLAIN login")
            .line("AUTH=LOGIN")
            .line("X-UNKNOWN 1");
        let capabilities = Capabilities::parse(&reply);
        assert_eq!(capabilities.server_name, "mx.south.test");
        assert_eq!(capabilities.size, Some(Some(35_882_577)));
        assert_eq!(capabilities.auth, ["PLAIN", "LOGIN"]);
        assert!(capabilities.pipelining && capabilities.eight_bit_mime && capabilities.start_tls);
        assert!(capabilities.offers("LOGIN") && !capabilities.offers("CRAM-MD5"));
    }

    #[test]
    fn size_zero_means_no_limit() {
        assert_eq!(Capabilities::parse(&Reply::plain(250, "a").line("SIZE 0")).size, Some(None));
        assert_eq!(Capabilities::parse(&Reply::plain(250, "a")).size, None);
    }
}
