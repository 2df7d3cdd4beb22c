//! Who did what so far: dealers by players, for who waits for a ceremony.

use super::board::Phase;
use super::machine::Ceremony;
use super::message::MessageKind;

/// What is known of one dealer's share for one player.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    /// The player said that it is right.
    Acked,
    /// The player said that it is not.
    Complained,
    /// Dealt, and nothing said of it yet.
    Dealt,
    /// No dealing that counts.
    Missing,
    /// Shown to everybody, as the player was silent.
    Revealed,
}

/// A table of a ceremony.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// How far it is.
    pub phase: Phase,
    /// Valid messages of this phase, and how many it needs.
    pub count: (u16, u16),
    /// A row a dealer, a cell a player.
    pub cells: Vec<Vec<Cell>>,
    /// Dealers that are out.
    pub disqualified: Vec<u16>,
}

impl Ceremony {
    /// The table of `ceremony status`.
    pub fn progress(&self) -> Progress {
        let board = self.board();
        let cell = |dealer: u16, player: u16| {
            let dealt = board.dealings.contains_key(&dealer);
            let in_roster = board.roster.iter().any(|(standing, _)| *standing == dealer);
            let logged = board.logs.iter().any(|(logged, _)| *logged == dealer);
            if !dealt {
                Cell::Missing
            } else if board.complaints.contains(&(dealer, player)) {
                Cell::Complained
            } else if logged && board.silent.contains(&player) {
                Cell::Revealed
            } else if in_roster && board.first.contains_key(&(MessageKind::Answer, player)) {
                Cell::Acked
            } else {
                Cell::Dealt
            }
        };
        let (dealers, players) = (board.info.dealers().len() as u16, board.info.n());
        let row = |dealer| (1..=players).map(|player| cell(dealer, player)).collect();
        Progress {
            phase: board.phase,
            count: board.count(),
            cells: (1..=dealers).map(row).collect(),
            disqualified: board.disqualified.iter().copied().collect(),
        }
    }
}
