"""Networks that share their weights."""

import copy
from itertools import chain

from fernn.models.memory import Network


def sharing(network: Network) -> Network:
    """Another network of the same weights and buffers, which are shared and not copied, in the same mode.

    Choose device and precision before: afterwards torch changes the weights for both, and the buffers for one.
    """
    return copy.deepcopy(network, {id(each): each for each in chain(network.parameters(), network.buffers())})
