//! The closed table of pre-trade controls: one row a reason bit.
//!
//! Source: SEC Rule 15c3-5 (17 CFR 240.15c3-5), Regulation (EU) 2017/589 (RTS 6), the FIA's
//! July 2024 paper on automated-trading risk controls. Bits never change and are never reused; the
//! enum, the documentation table, the schema and report rows all come from this one macro.

/// Whether a control needs the running state, or only the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Decided from the order and the tables.
    Stateless,
    /// Decided from positions, windows and reservations.
    Stateful,
}

/// What is known of a control, for documents and explanations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ControlInfo {
    /// The control.
    pub control: Control,
    /// Its stable name.
    pub name: &'static str,
    /// FIX `OrdRejReason` (103).
    pub fix103: u8,
    /// Stateless or stateful.
    pub stage: Stage,
    /// Whether a risk-reducing order is exempt.
    pub reducing_exempt: bool,
    /// The rule behind it.
    pub citation: &'static str,
    /// When it refuses, as a sentence.
    pub text: &'static str,
}

macro_rules! controls {
    ($($bit:literal $variant:ident $name:literal $fix:literal $stage:ident $exempt:literal
       $cite:literal $text:literal)*) => {
        /// A pre-trade control; the value is its bit in [`Reasons`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Control {
            $(#[doc = $text] $variant = $bit,)*
        }

        /// Every control, by ascending bit.
        pub const CONTROLS: &[ControlInfo] = &[
            $(ControlInfo {
                control: Control::$variant,
                name: $name,
                fix103: $fix,
                stage: Stage::$stage,
                reducing_exempt: $exempt,
                citation: $cite,
                text: $text,
            },)*
        ];
    };
}

controls! {
    0 LimitNotSet "LIMIT_NOT_SET" 3 Stateless false
        "17 CFR 240.15c3-5(c)(1); FIA 2024"
        "A mandatory limit of one of the order's levels is absent."
    1 UnknownHandle "UNKNOWN_HANDLE" 15 Stateless false
        "17 CFR 240.15c3-5(c)(2)(iii)" "The account, instrument or strategy is not registered."
    2 Malformed "MALFORMED" 11 Stateless false
        "17 CFR 240.15c3-5(c)(2)(i)"
        "The order contradicts itself: quantity, price, type, reserved bit, or a taken id."
    3 ArithmeticOverflow "ARITHMETIC_OVERFLOW" 13 Stateful false
        "own" "A sum would leave 64 bits."
    4 MaxOrderQty "MAX_ORDER_QTY" 13 Stateless false
        "17 CFR 240.15c3-5(c)(1)(ii); RTS 6 Art. 15(1)(c)"
        "The quantity is above the largest allowed."
    5 MinOrderQty "MIN_ORDER_QTY" 13 Stateless true
        "17 CFR 240.15c3-5(c)(2)(i)" "The quantity is below the smallest allowed."
    6 LotSize "LOT_SIZE" 13 Stateless true
        "17 CFR 240.15c3-5(c)(2)(i)" "The quantity is not a multiple of the lot."
    7 TickSize "TICK_SIZE" 11 Stateless false
        "17 CFR 240.15c3-5(c)(2)(i)" "The price is not a multiple of the tick."
    8 MaxOrderNotional "MAX_ORDER_NOTIONAL" 3 Stateless false
        "17 CFR 240.15c3-5(c)(1)(ii); RTS 6 Art. 15(1)(b)"
        "Price times quantity is above the largest allowed."
    9 MinOrderNotional "MIN_ORDER_NOTIONAL" 13 Stateless true
        "venue rule" "Price times quantity is below the smallest allowed."
    10 PriceCollar "PRICE_COLLAR" 99 Stateless false
        "17 CFR 240.15c3-5(c)(1)(ii); RTS 6 Art. 15(1)(a)"
        "The price is too far from the reference price."
    11 ReferenceMissing "REFERENCE_MISSING" 99 Stateless false
        "FIA 2024 3.1" "A collar is set, and there is no reference price yet."
    12 ReferenceStale "REFERENCE_STALE" 8 Stateless false
        "FIA 2024 3.1" "The reference price is older than its maximum age."
    13 PriceMove "PRICE_MOVE" 99 Stateless false
        "17 CFR 240.15c3-5(c)(1)(ii)"
        "The price is outside the collar around the reference of one period ago."
    14 LuldBand "LULD_BAND" 99 Stateless false
        "17 CFR 240.15c3-5(c)(2)(i); LULD plan" "The price is outside the limit-up limit-down band."
    15 InstrumentHalted "INSTRUMENT_HALTED" 2 Stateless false
        "17 CFR 240.15c3-5(c)(2)(i)" "The instrument is halted by its venue."
    16 MarketWideHalt "MARKET_WIDE_HALT" 2 Stateless false
        "17 CFR 240.15c3-5(c)(2)(i)" "A market-wide circuit breaker is in force."
    17 SessionClosed "SESSION_CLOSED" 2 Stateless false
        "17 CFR 240.15c3-5(c)(2)(i)" "The session does not take this order now."
    18 AuctionRule "AUCTION_RULE" 11 Stateless false
        "17 CFR 240.15c3-5(c)(2)(i)" "An auction rule forbids this order."
    19 OrderTypeNotAllowed "ORDER_TYPE_NOT_ALLOWED" 11 Stateless false
        "17 CFR 240.15c3-5(c)(2)(i)" "The order type or time in force is not in the allowed set."
    20 RestrictedInstrument "RESTRICTED_INSTRUMENT" 0 Stateless false
        "17 CFR 240.15c3-5(c)(2)(ii)"
        "The instrument is on a deny list, or missing from an allow list."
    21 NotPermitted "NOT_PERMITTED" 10 Stateless false
        "17 CFR 240.15c3-5(c)(2)(iii); RTS 6 Art. 15(5), 18"
        "The strategy may not trade this account or group."
    22 ShortMark "SHORT_MARK" 11 Stateful false
        "Reg SHO 200(g)" "The sell is marked long and would be short, or the reverse."
    23 ShortSaleRestriction "SHORT_SALE_RESTRICTION" 11 Stateless false
        "Reg SHO 201" "A short sale at or below the national best bid under the restriction."
    24 Locate "LOCATE" 0 Stateful false
        "Reg SHO 203(b)(1)" "More short than was located."
    25 UnknownOrder "UNKNOWN_ORDER" 5 Stateful false
        "17 CFR 240.15c3-5(c)(2)(i)" "The replace or cancel names no working order."
    26 MessageRate "MESSAGE_RATE" 99 Stateful false
        "RTS 6 Art. 15(1)(d); FIA 2024" "Too many messages left within the window."
    27 AttemptRate "ATTEMPT_RATE" 99 Stateful false
        "FIA 2024" "Too many attempts within the window, rejected ones included."
    28 DuplicateId "DUPLICATE_ID" 6 Stateful false
        "17 CFR 240.15c3-5(c)(1)(ii)" "The client order id was used before."
    29 DuplicateOrder "DUPLICATE_ORDER" 6 Stateful false
        "17 CFR 240.15c3-5(c)(1)(ii)" "Equal orders were accepted within the window."
    30 RepeatedExecution "REPEATED_EXECUTION" 0 Stateful false
        "RTS 6 Art. 15(3)" "The strategy's fills in the window reached their maximum."
    31 WindowNotional "WINDOW_NOTIONAL" 3 Stateful true
        "17 CFR 240.15c3-5(c)(1)(ii)" "Too much accepted within the window."
    32 MaxPosition "MAX_POSITION" 3 Stateful true
        "RTS 6 Art. 17(4); FIA 2024" "Position and working orders would pass the position limit."
    33 MaxOpenOrders "MAX_OPEN_ORDERS" 3 Stateful true
        "FIA 2024" "Too many working orders."
    34 MaxOpenNotional "MAX_OPEN_NOTIONAL" 3 Stateful true
        "17 CFR 240.15c3-5(c)(1)(i)" "Working notional would pass its limit."
    35 CreditLimit "CREDIT_LIMIT" 3 Stateful true
        "17 CFR 240.15c3-5(c)(1)(i)" "Working and held notional would pass the credit."
    36 NetExposure "NET_EXPOSURE" 3 Stateful true
        "FIA 2024" "Worst-case net exposure would pass its limit."
    37 Concentration "CONCENTRATION" 3 Stateful true
        "own" "Too much of the credit in one instrument."
    38 DailyNotional "DAILY_NOTIONAL" 3 Stateful true
        "17 CFR 240.15c3-5(c)(1)(i)" "The day's notional cap would be passed."
    39 DailyQty "DAILY_QTY" 3 Stateful true
        "venue practice" "The day's quantity cap would be passed."
    40 DailyOrders "DAILY_ORDERS" 3 Stateful true
        "own" "The day's order count cap is reached."
    41 BuyingPower "BUYING_POWER" 3 Stateful true
        "17 CFR 240.15c3-5(c)(1)(i)" "Not enough free cash."
    42 LossLimit "LOSS_LIMIT" 0 Stateful true
        "RTS 6 Art. 15(4)" "The day's loss passed its limit."
    43 Drawdown "DRAWDOWN" 0 Stateful true
        "RTS 6 Art. 15(4)" "The fall from the day's peak passed its limit."
    44 SelfTrade "SELF_TRADE" 0 Stateful false
        "FIA 2024" "The order would cross an own working order."
    45 ReduceOnlyWouldIncrease "REDUCE_ONLY_WOULD_INCREASE" 99 Stateful false
        "own" "Marked reduce-only, and it does not reduce."
    46 KillReduceOnly "KILL_REDUCE_ONLY" 0 Stateful true
        "RTS 6 Art. 12(1)" "A scope of the order is in REDUCE_ONLY."
    47 KillHalted "KILL_HALTED" 0 Stateful false
        "RTS 6 Art. 12(1), 12(3)" "A scope of the order is HALTED."
    48 SlowDown "SLOW_DOWN" 99 Stateful true
        "venue practice" "The staged response asks for a pause between orders."
    49 Reconciling "RECONCILING" 0 Stateful true
        "RTS 6 Art. 17" "Venue orders are not yet matched with ours."
    50 AuditBackpressure "AUDIT_BACKPRESSURE" 99 Stateful false
        "own" "The audit log has no room: what cannot be logged is not released."
}

impl Control {
    /// The control at this bit, if there is one.
    pub fn from_bit(bit: u8) -> Option<Self> {
        CONTROLS.get(usize::from(bit)).map(|row| row.control)
    }

    /// The control with this stable name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        CONTROLS.iter().find(|row| row.name == name).map(|row| row.control)
    }

    /// Everything known of it.
    pub fn info(self) -> &'static ControlInfo {
        &CONTROLS[self as usize]
    }

    /// The stable name.
    pub fn name(self) -> &'static str {
        self.info().name
    }
}

/// A set of violated controls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Reasons(pub u64);

impl Reasons {
    /// No violation.
    pub const NONE: Self = Self(0);

    /// Adds a control.
    #[inline]
    pub fn insert(&mut self, control: Control) {
        self.0 |= 1 << control as u8;
    }

    /// Adds a control if the condition holds, without a branch.
    #[inline]
    pub fn insert_if(&mut self, control: Control, condition: bool) {
        self.0 |= u64::from(condition) << control as u8;
    }

    /// Whether the control is in the set.
    #[inline]
    pub fn contains(self, control: Control) -> bool {
        self.0 >> control as u8 & 1 == 1
    }

    /// Whether the set is empty.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The violated control with the lowest bit.
    pub fn first(self) -> Option<Control> {
        if self.is_empty() { None } else { Control::from_bit(self.0.trailing_zeros() as u8) }
    }

    /// The violated controls, by ascending bit.
    pub fn iter(self) -> impl Iterator<Item = Control> {
        CONTROLS.iter().map(|row| row.control).filter(move |c| self.contains(*c))
    }

    /// Whether no bit outside the table is set.
    pub fn is_known(self) -> bool {
        self.0 >> CONTROLS.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_stands_at_its_bit_and_names_are_unique() {
        for (bit, row) in CONTROLS.iter().enumerate() {
            assert_eq!(row.control as usize, bit);
            assert_eq!(Control::from_name(row.name), Some(row.control));
            let shouted: String = format!("{:?}", row.control)
                .chars()
                .enumerate()
                .flat_map(|(i, c)| {
                    let gap = (i > 0 && c.is_uppercase()).then_some('_');
                    gap.into_iter().chain(c.to_uppercase())
                })
                .collect();
            assert_eq!(shouted, row.name, "the variant and the stable name are one word");
        }
        assert_eq!(CONTROLS.len(), 51);
    }

    #[test]
    fn a_set_gives_its_first_and_all_members() {
        let mut set = Reasons::NONE;
        assert_eq!(set.first(), None);
        set.insert(Control::MessageRate);
        set.insert_if(Control::MaxOrderQty, true);
        set.insert_if(Control::LotSize, false);
        assert_eq!(set.first(), Some(Control::MaxOrderQty));
        assert_eq!(set.iter().collect::<Vec<_>>(), [Control::MaxOrderQty, Control::MessageRate]);
        assert!(set.is_known() && !Reasons(1 << 63).is_known());
    }
}
