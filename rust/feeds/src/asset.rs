//! What is traded, as far as an input itself says it: nothing is guessed from names or prices.
//!
//! Source: Databento's list of datasets, in the `dbn` crate's `Dataset`, of those that are futures
//! exchanges only.

/// What is traded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AssetClass {
    /// Contracts of a futures exchange.
    Future,
}

impl AssetClass {
    /// The name on the surface.
    pub fn name(self) -> &'static str {
        match self {
            Self::Future => "future",
        }
    }

    /// What a Databento dataset holds, where its code settles it.
    pub fn of_dataset(dataset: &str) -> Option<Self> {
        FUTURES_DATASETS.contains(&dataset).then_some(Self::Future)
    }
}

/// CME, ICE Europe, US, Endex and London, Eurex and the European Energy Exchange.
const FUTURES_DATASETS: [&str; 7] = [
    "GLBX.MDP3",
    "IFEU.IMPACT",
    "IFUS.IMPACT",
    "NDEX.IMPACT",
    "IFLL.IMPACT",
    "XEUR.EOBI",
    "XEEE.EOBI",
];

#[cfg(test)]
mod tests {
    use super::AssetClass;

    #[test]
    fn a_dataset_of_shares_or_of_both_says_nothing() {
        assert_eq!(AssetClass::of_dataset("GLBX.MDP3"), Some(AssetClass::Future));
        for dataset in ["XNAS.ITCH", "OPRA.PILLAR", "DBEQ.BASIC", "GLBX", "glbx.mdp3", ""] {
            assert_eq!(AssetClass::of_dataset(dataset), None, "{dataset}");
        }
    }
}
