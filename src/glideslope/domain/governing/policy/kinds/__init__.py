"""The closed set of rule kinds, in the order of the reference. Each is a frozen value with typed parameters and one pure look."""

from typing import Final, get_args

from glideslope.domain.governing.policy.kinds.change import (
    ChangeDescribed,
    ChangeIsWhatWasAgreed,
    FactsAreOfTheseBytes,
    RollbackTargetKnown,
)
from glideslope.domain.governing.policy.kinds.data import (
    DataAccessGranted,
    DataFreshWithin,
    DataResidesIn,
    LicencesAllowed,
    NoTrainingFieldTagged,
)
from glideslope.domain.governing.policy.kinds.evaluation import (
    EvaluatedWithin,
    EvaluationIsOfTheseBytes,
    EvaluationPassed,
    FailureModesTested,
    FairnessWithin,
    NothingSkipped,
    SlicesEvaluated,
    ValidatedIndependently,
)
from glideslope.domain.governing.policy.kinds.outside import Cel, Opa
from glideslope.domain.governing.policy.kinds.people import (
    ApprovedBy,
    DrilledWithin,
    MakersMayNotApprove,
    NoOpenIncident,
    Owned,
    ReviewedWithin,
)
from glideslope.domain.governing.policy.kinds.plan import (
    ErrorChanceAtMost,
    ExposureAtMost,
    NotFasterThan,
    StagesRequired,
)
from glideslope.domain.governing.policy.kinds.version import (
    ModelCardComplete,
    NoKnownAdvisory,
    Rebuildable,
    SchemaCompatible,
    Signed,
)

AnyRule = (
    ChangeDescribed
    | ChangeIsWhatWasAgreed
    | FactsAreOfTheseBytes
    | RollbackTargetKnown
    | EvaluationIsOfTheseBytes
    | SlicesEvaluated
    | EvaluationPassed
    | EvaluatedWithin
    | NothingSkipped
    | ValidatedIndependently
    | FairnessWithin
    | FailureModesTested
    | NoTrainingFieldTagged
    | LicencesAllowed
    | DataResidesIn
    | DataAccessGranted
    | DataFreshWithin
    | MakersMayNotApprove
    | ApprovedBy
    | DrilledWithin
    | Owned
    | ReviewedWithin
    | NoOpenIncident
    | StagesRequired
    | ExposureAtMost
    | NotFasterThan
    | ErrorChanceAtMost
    | Signed
    | ModelCardComplete
    | SchemaCompatible
    | NoKnownAdvisory
    | Rebuildable
    | Cel
    | Opa
)

KINDS: Final[tuple[type[AnyRule], ...]] = get_args(AnyRule)

__all__ = ["KINDS", "AnyRule", "Cel", "Opa"]
