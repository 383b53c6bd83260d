//! What a person sees.
#![expect(clippy::print_stdout, reason = "this is the screen")]

use std::path::Path;

use staffetta_ctl::endpoints::Endpoints;

/// Where everything is and who can log in.
pub(crate) fn show(endpoints: &Endpoints, data: &Path) {
    println!("Staffetta, {} platform(s) in this process\n", endpoints.sites.len());
    println!(
        "  {:<12}{:<12}{:>6}{:>12}{:>13}{:>6}{:>7}{:>6}{:>7}",
        "site", "host", "smtp", "submission", "submissions", "imap", "imaps", "pop3", "pop3s"
    );
    for site in &endpoints.sites {
        println!(
            "  {:<12}{:<12}{:>6}{:>12}{:>13}{:>6}{:>7}{:>6}{:>7}",
            site.name,
            site.host.to_string(),
            site.smtp,
            site.submission,
            site.submissions,
            site.imap,
            site.imaps,
            site.pop3,
            site.pop3s
        );
    }
    println!();
    for account in endpoints.sites.iter().flat_map(|site| &site.accounts) {
        println!("  {:<20} password {}", account.login, account.password);
    }
    println!("\n  CA for your mail client  {}", endpoints.ca.display());
    println!("  name server              {}", endpoints.dns);
    println!("  data                     {}\n", data.display());
}

/// The mail starts.
pub(crate) fn demonstration() {
    println!("A mail on its way:");
}

/// Nothing happens by itself any more.
pub(crate) fn ready() {
    println!("\nReady. Ctrl-C ends it.");
}
