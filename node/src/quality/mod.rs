//! Checks of the stored data (contract quality.md): one definition each, run by `naap verify`, by the
//! quality probe of a node, and spoilt one by one by the self-test.
//!
//! A check is a statement that answers the rows that contradict it, or figures that are compared with a
//! threshold. It reads latest rows only. Where the contract asks for something that a store can not
//! show, the check says what shows it.

pub mod checks;
pub mod command;
pub mod gates;
pub mod probe;
pub mod published;
pub mod relations;
pub mod report;
pub mod run;
pub mod selftest;

/// What a check that does not hold means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Worth knowing.
    Info,
    /// To be looked at.
    Warn,
    /// Blocks.
    Fail,
}

/// When a check runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pack {
    /// In every gate.
    Core,
    /// Scenarios that a fixture run has to contain.
    Scenario,
    /// Diagnostics that never block.
    Diagnostic,
    /// Figures against the clock, of a system that takes input.
    Live,
}

impl Pack {
    /// The name in the file of gates.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Scenario => "scenario",
            Self::Diagnostic => "diagnostic",
            Self::Live => "live",
        }
    }
}

/// How a check is decided.
#[derive(Clone, Copy, Debug)]
pub enum How {
    /// Each row of the answer contradicts it; a column `tier` (`WARN`, `INFO`) makes a row weaker.
    Rows(Tier, &'static str),
    /// The answer has `value`, `n` (its population) and perhaps key columns; each row is compared
    /// with the threshold of this name. One with `is_brief` has not been so for long enough to fail.
    Figure(&'static str, &'static str),
    /// Each published figure that is not what its query answers, in slices that changed since they were
    /// published.
    Published(Tier),
    /// The rows of a computation over this build, without a store.
    Build(Tier, fn() -> Vec<String>),
    /// No statement over a store can show it; this test of the repository does, or this construction.
    Elsewhere(&'static str),
}

/// A fault that the check has to find, put into a store that had none.
#[derive(Clone, Copy, Debug)]
pub struct Seed {
    /// The relation that is changed.
    pub relation: &'static str,
    /// How.
    pub spoil: Spoil,
    /// Further checks that the same fault contradicts.
    pub also: &'static [&'static str],
}

/// A change of a relation.
#[derive(Clone, Copy, Debug)]
pub enum Spoil {
    /// No fault: the check does not block, or reads no store.
    Nothing,
    /// The first row for which `pick` holds, once more in a higher version, with `set`
    /// (`expression AS column`).
    Change {
        /// Replaced columns.
        set: &'static str,
        /// Condition on the row.
        pick: &'static str,
    },
    /// All rows for which this holds are gone.
    Drop(&'static str),
    /// Statements.
    Sql(&'static [&'static str]),
    /// The view answers this instead; `{sound}` is what it answered before.
    View(&'static str),
}

impl Seed {
    /// No fault.
    pub const NONE: Self = Self { relation: "", spoil: Spoil::Nothing, also: &[] };

    /// See [`Spoil::Change`].
    pub const fn change(relation: &'static str, set: &'static str, pick: &'static str) -> Self {
        Self { relation, spoil: Spoil::Change { set, pick }, also: &[] }
    }

    /// See [`Spoil::Drop`].
    pub const fn drop(relation: &'static str, pick: &'static str) -> Self {
        Self { relation, spoil: Spoil::Drop(pick), also: &[] }
    }

    /// See [`Spoil::Sql`].
    pub const fn sql(relation: &'static str, statements: &'static [&'static str]) -> Self {
        Self { relation, spoil: Spoil::Sql(statements), also: &[] }
    }

    /// See [`Spoil::View`].
    pub const fn view(relation: &'static str, select: &'static str) -> Self {
        Self { relation, spoil: Spoil::View(select), also: &[] }
    }

    /// Further checks that the fault contradicts.
    #[must_use]
    pub const fn also(mut self, also: &'static [&'static str]) -> Self {
        self.also = also;
        self
    }
}

/// One check.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// Name in the contract, such as `Q-20`.
    pub id: &'static str,
    /// What must hold.
    pub title: &'static str,
    /// Where to look first.
    pub relation: &'static str,
    /// When it runs.
    pub pack: Pack,
    /// How it is decided.
    pub how: How,
    /// What to do when it does not hold.
    pub remedy: &'static str,
    /// Section of the contract.
    pub source: &'static str,
    /// A fault that it has to find.
    pub seed: Seed,
}

impl Check {
    /// Whether it can block a gate.
    pub const fn can_fail(&self) -> bool {
        match self.how {
            How::Rows(tier, _) | How::Build(tier, _) | How::Published(tier) => {
                matches!(tier, Tier::Fail)
            }
            How::Figure(..) => true,
            How::Elsewhere(_) => false,
        }
    }

    /// Whether a fault of it can be seeded.
    pub const fn can_be_seeded(&self) -> bool {
        !matches!(self.seed.spoil, Spoil::Nothing)
    }

    /// Its statement, if it has one.
    pub const fn sql(&self) -> Option<&'static str> {
        match self.how {
            How::Rows(_, sql) | How::Figure(_, sql) => Some(sql),
            How::Build(..) | How::Published(_) | How::Elsewhere(_) => None,
        }
    }
}
