//! The kill files together: what the log makes of them, and what is refused.

use cwts_types::{Kill, KillState, Register, RegisterKind, Resume};

use super::text::seal;
use super::*;

fn register(kind: RegisterKind, handle: u32, name: &str) -> Body {
    Body::Register(Register { kind, handle, parent: 0, salt: [0; 16], name: name.to_owned() })
}

fn kill(hold: u64, epoch: u32, scope: Scope, state: KillState) -> Body {
    let (actor, reason) = ("anna".to_owned(), "fat finger, 100 %\n\u{e9}".to_owned());
    Body::Kill(Kill { hold, epoch, state, scope, rank: 2, allow_reduce: true, actor, reason })
}

fn resume(hold: u64, epoch: u32, approver: &str) -> Body {
    Body::Resume(Resume {
        hold,
        epoch,
        signatures: None,
        actor: "anna".to_owned(),
        approver: approver.to_owned(),
        reason: String::new(),
    })
}

fn folded() -> HoldsFold {
    let account = Scope { kind: ScopeKind::Account, handle: 1 };
    let mut fold = HoldsFold::new();
    for (index, body) in [
        register(RegisterKind::Account, 1, "ACC 1"),
        register(RegisterKind::Actor, 1, "anna"),
        register(RegisterKind::Instrument, 1, "AAPL"),
        kill(1, 1, account, KillState::ReduceOnly),
        kill(2, 2, account, KillState::Halted),
        kill(3, 3, Scope::FIRM, KillState::Halted),
        resume(3, 4, "bo"),
    ]
    .iter()
    .enumerate()
    {
        fold.apply(index as u64, body).unwrap();
    }
    fold
}

#[test]
fn the_fold_gives_the_three_files() {
    let fold = folded();
    let [(_, scopes), (_, state), (_, page)] = fold.files();
    let text = String::from_utf8(scopes.clone()).unwrap();
    assert!(text.starts_with(
        "cwts kill scopes v1\n0 firm firm\n1 account ACC%201\n2 instrument AAPL\nsha256 "
    ));
    assert_eq!(parse_scopes(&scopes).unwrap(), fold.scopes());
    let text = String::from_utf8(state.clone()).unwrap();
    assert!(text.starts_with(
        "cwts kill state v1\nepoch 4\nseq 6\n\
         hold 1 1 1 2 1 3 anna fat%20finger,%20100%20%25%0A%C3%A9\nhold 2 1 2 2 1 4 anna "
    ));
    assert_eq!(KillSnapshot::parse(&state).unwrap(), fold.snapshot());
    assert_eq!(page.len(), PAGE_BYTES);
    assert_eq!(page[16], 4);
    assert_eq!((page[64], page[128], page[192]), (0, 2, 0), "firm, account, instrument");
    assert_eq!(page.iter().filter(|b| **b != 0).count(), 8 + 1 + 1 + 1);
}

#[test]
fn every_bit_of_every_text_counts() {
    let [(_, scopes), (_, state), _] = folded().files();
    let scope = NamedScope { kind: ScopeKind::Account, name: String::new() };
    let request = KillRequest {
        action: KillAction::Halt(scope.clone()),
        actor: "anna".to_owned(),
        reason: "-".to_owned(),
        utc_ns: 7,
        cancel_working: false,
    };
    let resume = KillAction::Resume { hold: 2, approver: "bo".to_owned() };
    for action in [request.action.clone(), KillAction::Reduce(scope), resume] {
        let request = KillRequest { action, ..request.clone() };
        assert_eq!(KillRequest::parse(request.encode().as_bytes()), Ok(request));
    }
    let cancelling = KillRequest { cancel_working: true, ..request.clone() };
    assert!(cancelling.encode().contains("\ncancel_working yes\nactor "));
    assert_eq!(KillRequest::parse(cancelling.encode().as_bytes()), Ok(cancelling.clone()));
    let (request, cancelling) = (request.encode().into_bytes(), cancelling.encode().into_bytes());
    let flip_all = |bytes: &[u8], parses: &dyn Fn(&[u8]) -> bool| {
        assert!(parses(bytes));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!parses(&flipped), "bit {bit}");
        }
        (0..bytes.len()).for_each(|n| assert!(!parses(&bytes[..n]), "cut to {n}"));
    };
    flip_all(&scopes, &|b| parse_scopes(b).is_ok());
    flip_all(&state, &|b| KillSnapshot::parse(b).is_ok());
    flip_all(&request, &|b| KillRequest::parse(b).is_ok());
    flip_all(&cancelling, &|b| KillRequest::parse(b).is_ok());
}

#[test]
fn another_spelling_is_refused_though_its_digest_is_right() {
    for body in [
        "cwts kill state v1\nepoch 04\nseq 6\n",
        "cwts kill state v1\nepoch 4\nseq 6\nhold 1 1 1 2 3 3 a b\n",
        "cwts kill state v1\nepoch 4\nseq 6\nhold 1 1 0 2 1 3 a b\n",
        "cwts kill state v1\nepoch 4\nseq 6\nhold 1 1 1 2 1 3 a %2f\n",
        "cwts kill state v1\nseq 6\nepoch 4\n",
        "cwts kill state v2\nepoch 4\nseq 6\n",
    ] {
        assert!(KillSnapshot::parse(seal(body.to_owned()).as_bytes()).is_err(), "{body}");
    }
    let body = "cwts kill scopes v1\n0 desk firm\n";
    assert!(parse_scopes(seal(body.to_owned()).as_bytes()).is_err());
}

#[test]
fn entries_that_do_not_follow_are_refused() {
    let mut fold = folded();
    let firm = Scope::FIRM;
    let unknown = Scope { kind: ScopeKind::Venue, handle: 9 };
    for (body, error) in [
        (register(RegisterKind::Account, 1, "x"), "registered twice"),
        (kill(4, 5, unknown, KillState::Halted), "not registered"),
        (kill(3, 5, firm, KillState::Halted), "follows hold"),
        (kill(4, 4, firm, KillState::Halted), "epoch 4 follows 4"),
        (resume(3, 5, "bo"), "does not stand"),
        (resume(2, 5, "anna"), "alone"),
    ] {
        let told = fold.apply(9, &body).unwrap_err().to_string();
        assert!(told.contains(error), "{told}");
    }
    assert_eq!(fold.snapshot(), folded().snapshot(), "a refused entry changes nothing");
}

#[test]
fn a_pending_page_may_be_stricter_and_never_laxer() {
    let floor = folded().snapshot().page();
    assert!(page_is_at_least(&floor, &floor));
    let mut page = floor.clone();
    page[64] = 2;
    page[16] = 5;
    assert!(page_is_at_least(&page, &floor));
    let strays = [(64, 3), (128, 1), (16, 3), (72, 5), (80, 1), (120, 1), (0, 0), (8, 2), (24, 1)];
    for (at, value) in strays {
        let mut page = floor.clone();
        page[at] = value;
        assert!(!page_is_at_least(&page, &floor), "byte {at} = {value}");
    }
    assert!(!page_is_at_least(&floor[1..], &floor));
}

#[test]
fn a_raise_leaves_its_epoch_in_the_cell_and_no_later_one() {
    let floor = folded().snapshot().page();
    assert_eq!(floor[16], 4);
    // As a raise does it: the state, the page's epoch, and that epoch in the cell.
    let mut page = floor.clone();
    (page[192], page[16], page[200]) = (2, 5, 5);
    assert!(page_is_at_least(&page, &floor));
    page[16] = 6;
    assert!(page_is_at_least(&page, &floor), "another raise followed");
    for (at, value) in [(200, 7), (204, 1), (207, 1), (208, 5)] {
        let mut page = page.clone();
        page[at] = value;
        assert!(!page_is_at_least(&page, &floor), "byte {at} = {value}");
    }
    page[40] = 5;
    assert!(!page_is_at_least(&page, &floor), "the header has no such word");
}

#[test]
fn request_names_stay_in_their_directory() {
    assert_eq!(KillRequest::path("a-1").as_deref(), Some("requests/a-1.req"));
    for bad in ["", ".x", "a/b", "a b", &"x".repeat(65)] {
        assert_eq!(KillRequest::path(bad), None);
    }
    assert!(KillRequest::is_path("requests/a-1.req"));
    assert!(!KillRequest::is_path("requests/a/b.req") && !KillRequest::is_path("a.req"));
}
