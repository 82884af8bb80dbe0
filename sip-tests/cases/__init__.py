"""The cases, slowest file first."""

from cases import kills  # noqa: F401
from cases import nat  # noqa: F401
from cases import robustness  # noqa: F401
from cases import crowds  # noqa: F401
from cases import media  # noqa: F401
from cases import played  # noqa: F401
from cases import one_way  # noqa: F401
from cases import reports  # noqa: F401
from cases import listening  # noqa: F401
from cases import inbound  # noqa: F401
from cases import outbound  # noqa: F401
from cases import parties  # noqa: F401
from cases import scheduled  # noqa: F401
from cases import webhooks  # noqa: F401
from cases import digits  # noqa: F401
from cases import registration  # noqa: F401
from cases import credentials  # noqa: F401
from cases import identity  # noqa: F401
from cases import independent_phone  # noqa: F401
from cases import trunk  # noqa: F401
from cases import encrypted  # noqa: F401
from cases import located  # noqa: F401
from cases import wire  # noqa: F401
from cases import soak  # noqa: F401
