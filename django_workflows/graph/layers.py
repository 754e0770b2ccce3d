"""A layered drawing of one scope: boxes of given sizes, and arcs between them.

After Sugiyama: arcs that lead back are set aside, what is left is ranked by its
longest path, long arcs get a lane in every layer between, layers are ordered by
barycentres and neighbours exchanged until fewer arcs cross, and places in a layer
are the ones nearest to what each would like that keep their distance.

Rule 1: nothing here knows of states; sizes come in, places go out.
Rule 2: arcs run upright through layers and bend only between them, so none
touches a box that is not its own.
Rule 3: no chance and no order of a set: the same arcs give the same drawing.

An arc's label is an item of a layer, as boxes are, so nothing lies on it. Long arcs
to one target share a lane; an arc that leads back leaves below, climbs beside its
source, and comes to its target from above.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

Point = tuple[float, float]

#: Between two boxes, between a box and a lane, between two lanes.
_BOX_GAP, _MIXED_GAP, _LANE_GAP = 32.0, 18.0, 14.0
_LANE_WIDTH = 4.0
#: Between layers: at least, and at most where arcs have far to go.
_LAYER_GAP, _LAYER_GAP_MOST = 34.0, 84.0
_TURN_STEP = 8.0
#: The upright end of an arc, for its head.
_HEAD = 10.0
_SWEEPS = 12
_ROUNDS = 20
#: How many items may be placed again in search of something better.
_PATIENCE = 600
#: How much of its weight a lane has against a box where there is not room for both.
_YIELDING = (1.0, 0.05, 0.3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arc:
    source: int
    target: int
    #: How much it wants to be straight.
    weight: float = 1.0
    #: Long arcs of one lane to one target become one.
    lane: str = ""
    label: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    points: tuple[Point, ...]
    #: Its last point lies on another arc to the same target, which goes on from there.
    joins: bool
    #: The label's middle.
    label: Point | None
    is_back: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    #: The upper left corner of each box.
    places: tuple[Point, ...]
    routes: tuple[Route, ...]
    width: float
    height: float


@dataclass(slots=True, kw_only=True)
class _Item:
    """A box, or a lane through a layer."""

    rank: int
    width: float
    height: float
    is_box: bool
    #: Where it stands in its layer, and its middle.
    order: int = 0
    x: float = 0.0
    #: What it is linked with, how much it pulls, and how much crossing it costs.
    above: list[tuple[int, float, int]] = field(default_factory=list)
    below: list[tuple[int, float, int]] = field(default_factory=list)
    #: The boxes of its own layer that a lane that leads back is to stay near to.
    beside: list[int] = field(default_factory=list)


def draw(sizes: Sequence[tuple[float, float]], arcs: Sequence[Arc]) -> Drawing:
    """Places for boxes of *sizes*, the first of which is where everything begins."""
    return _Scope(sizes, arcs).drawing()


class _Scope:
    def __init__(self, sizes: Sequence[tuple[float, float]], arcs: Sequence[Arc]) -> None:
        self.arcs = arcs
        self.back, self.tree, found, last = _explored(len(sizes), arcs)
        ranks = _ranks(len(sizes), arcs, self.back)
        self.items = [
            _Item(rank=ranks[box], width=width, height=height, is_box=True)
            for box, (width, height) in enumerate(sizes)
        ]
        #: Each arc's lanes, from its source to its target.
        self.lanes: list[list[int]] = []
        self.shared: dict[tuple[int, str, int], int] = {}
        for number, arc in enumerate(arcs):
            if number in self.back:
                self.lanes.append(self._climb(arc))
            else:
                self.lanes.append(self._descend(arc))
        self.height = max(ranks, default=-1) + 1
        self.layers: list[list[int]] = []
        self._order(found, last)

    # -- lanes

    def _lane(self, rank: int, label: tuple[float, float] | None = None) -> int:
        width, height = label or (_LANE_WIDTH, 0.0)
        self.items.append(_Item(rank=rank, width=width, height=height, is_box=False))
        return len(self.items) - 1

    def _shared(self, target: int, lane: str, rank: int) -> int:
        key = (target, lane, rank)
        if key not in self.shared:
            self.shared[key] = self._lane(rank)
        return self.shared[key]

    def _descend(self, arc: Arc) -> list[int]:
        rank, last = self.items[arc.source].rank + 1, self.items[arc.target].rank
        lanes: list[int] = []
        if arc.label is not None:
            lanes.append(self._lane(rank, arc.label))
            rank += 1
        lanes += [self._shared(arc.target, arc.lane, rank) for rank in range(rank, last)]
        chain = [arc.source, *lanes, arc.target]
        for upper, lower in itertools.pairwise(chain):
            self._link(upper, lower, arc.weight)
        return lanes

    def _climb(self, arc: Arc) -> list[int]:
        rank, first = self.items[arc.source].rank, self.items[arc.target].rank
        lanes = [self._lane(rank, arc.label)]
        lanes += [self._shared(arc.target, "back", rank) for rank in range(rank - 1, first - 1, -1)]
        for lower, upper in itertools.pairwise(lanes):
            self._link(upper, lower, arc.weight)
        self.items[lanes[0]].beside.append(arc.source)
        if arc.target not in self.items[lanes[-1]].beside:
            self.items[lanes[-1]].beside.append(arc.target)
        return lanes

    def _link(self, upper: int, lower: int, weight: float) -> None:
        if any(item == lower for item, *_ in self.items[upper].below):
            return
        cost = 3 if weight >= 1 else 1
        # What is no box should be straight before all else.
        lanes = (not self.items[upper].is_box) + (not self.items[lower].is_box)
        weight *= (1.0, 2.0, 8.0)[lanes]
        self.items[upper].below.append((lower, weight, cost))
        self.items[lower].above.append((upper, weight, cost))

    # -- the order in each layer

    def _first_orders(self, found: Sequence[int], last: Sequence[int]) -> Iterator[list[list[int]]]:
        """Orders to begin with: as boxes are come upon, and to one side what leads elsewhere.

        Lanes that lead back are on the right, on the left, or beside their source; and
        all of it mirrored.
        """
        far = len(found)
        for side in ("right", "left", "beside"):
            keys: dict[int, tuple[float, int]] = {box: (found[box], 0) for box in range(far)}
            for number, lanes in enumerate(self.lanes):
                arc = self.arcs[number]
                place = last[arc.source] + 0.5
                if number in self.back:
                    if side != "beside":
                        place = far if side == "right" else -1
                elif number in self.tree:
                    place = found[arc.target] - 0.5
                for lane in lanes:
                    keys.setdefault(lane, (place, number))
            layers: list[list[int]] = [[] for _ in range(self.height)]
            for index, item in enumerate(self.items):
                layers[item.rank].append(index)
            for layer in layers:
                layer.sort(key=keys.__getitem__)
            yield layers
            yield [layer[::-1] for layer in layers]

    def _number(self, layer: Sequence[int]) -> None:
        for order, index in enumerate(layer):
            self.items[index].order = order

    def _order(self, found: Sequence[int], last: Sequence[int]) -> None:
        """Of several first orders, made better step by step, the best."""
        best: list[list[int]] = []
        fewest = -1
        for start, layers in enumerate(self._first_orders(found, last)):
            if start and (fewest == 0 or start * len(self.items) > _PATIENCE):
                break
            self._take(layers)
            since = 0
            for sweep in range(_SWEEPS + 1):
                if sweep:
                    downward = sweep % 2 == 1
                    for layer in self.layers if downward else reversed(self.layers):
                        self._sort(layer, downward)
                    self._exchange()
                crossings = self._crossings()
                since += 1
                if fewest < 0 or crossings < fewest:
                    fewest, best, since = crossings, [list(layer) for layer in self.layers], 0
                if fewest == 0 or since > 4:
                    break
        self._take(best)

    def _take(self, layers: list[list[int]]) -> None:
        self.layers = layers
        for layer in layers:
            self._number(layer)

    def _sort(self, layer: list[int], downward: bool) -> None:
        """Order *layer* by the barycentres of one side; what has none there stays."""
        items = self.items
        keys: dict[int, float] = {}
        for index in layer:
            near = items[index].above if downward else items[index].below
            if near:
                keys[index] = sum(items[other].order for other, *_ in near) / len(near)
        for index in layer:
            if index not in keys:
                for box in items[index].beside:
                    if box in keys:
                        side = 1 if items[index].order > items[box].order else -1
                        keys[index] = keys[box] + side * 0.25
        moving = sorted((index for index in layer if index in keys), key=keys.__getitem__)
        following = iter(moving)
        layer[:] = [next(following) if index in keys else index for index in layer]
        self._number(layer)

    def _exchange(self) -> None:
        """Exchange neighbours while that saves crossings."""
        items = self.items
        for _ in range(4):
            improved = False
            for layer in self.layers:
                for place in range(len(layer) - 1):
                    left, right = items[layer[place]], items[layer[place + 1]]
                    now, then = self._between(left, right)
                    if then < now:
                        layer[place], layer[place + 1] = layer[place + 1], layer[place]
                        left.order, right.order = right.order, left.order
                        improved = True
            if not improved:
                return

    def _between(self, left: _Item, right: _Item) -> tuple[int, int]:
        """How many arcs of two neighbours cross, as they stand and exchanged."""
        items = self.items
        now = then = 0
        for ours, theirs in ((left.above, right.above), (left.below, right.below)):
            for one, _, cost in ours:
                for other, _, other_cost in theirs:
                    if items[one].order > items[other].order:
                        now += cost * other_cost
                    elif items[one].order < items[other].order:
                        then += cost * other_cost
        return now, then

    def _crossings(self) -> int:
        """What all crossings cost together."""
        total = 0
        items = self.items
        for layer, below in zip(self.layers, [*self.layers[1:], []], strict=True):
            # A Fenwick tree of what ends at each place of the layer below.
            tree = [0] * (len(below) + 1)
            passed = 0
            for index in layer:
                ends = [(items[other].order + 1, cost) for other, _, cost in items[index].below]
                for place, cost in ends:
                    before = 0
                    while place:
                        before += tree[place]
                        place &= place - 1
                    total += (passed - before) * cost
                for place, cost in ends:
                    passed += cost
                    while place < len(tree):
                        tree[place] += cost
                        place += place & -place
                total += self._turns_over(layer, items[index])
        return total

    def _turns_over(self, layer: Sequence[int], lane: _Item) -> int:
        """How many arcs *lane* crosses on its way to the boxes beside it."""
        crossed = 0
        for box in lane.beside:
            first, last = sorted((lane.order, self.items[box].order))
            for index in layer[first + 1 : last]:
                other = self.items[index]
                crossed += max(
                    sum(cost for *_, cost in side) for side in (other.above, other.below)
                )
        return crossed

    # -- places

    def _spread(self) -> None:
        """Give every item its x: near to what it is linked with, and off its neighbours.

        No one way to share out what room there is suits all; of a few, after every
        sweep, the best is taken.
        """
        offsets = [self._offsets(layer) for layer in self.layers]
        best = -1.0
        places: list[float] = []
        for yielding in _YIELDING[: max(1, _PATIENCE // len(self.items))]:
            for layer, steps in zip(self.layers, offsets, strict=True):
                for index, step in zip(layer, steps, strict=True):
                    self.items[index].x = step - steps[-1] / 2
            for turn in range(_ROUNDS):
                # At last both sides count, that which the sweep comes from a little more.
                is_last = turn >= _ROUNDS - 8
                least = 0.98 if is_last else 0.0
                downward = turn % 2 == 1
                above, below = (1.0, least) if downward else (least, 1.0)
                ranks = range(len(self.layers))
                for rank in ranks if downward else reversed(ranks):
                    self._settle(self.layers[rank], offsets[rank], above, below, yielding)
                if is_last:
                    cost = self._bends()
                    if best < 0 or cost < best:
                        best, places = cost, [item.x for item in self.items]
        for item, x in zip(self.items, places, strict=True):
            item.x = x

    def _bends(self) -> float:
        """How far the arcs are from being straight, and the drawing from being narrow."""
        cost = 0.0
        for item in self.items:
            for other, pull, _ in item.below:
                far = abs(item.x - self.items[other].x)
                if far > 1:
                    cost += pull * (far + 40)
        widths = [
            self.items[layer[-1]].x + self.items[layer[-1]].width / 2 - self.items[layer[0]].x
            for layer in self.layers
        ]
        return cost + max(widths, default=0.0) * len(self.layers) * 0.5

    def _offsets(self, layer: Sequence[int]) -> list[float]:
        offsets: list[float] = []
        before: _Item | None = None
        place = 0.0
        for index in layer:
            item = self.items[index]
            if before is not None:
                boxes = before.is_box + item.is_box
                place += (before.width + item.width) / 2
                place += (_LANE_GAP, _MIXED_GAP, _BOX_GAP)[boxes]
            offsets.append(place)
            before = item
        return offsets

    def _settle(
        self,
        layer: Sequence[int],
        offsets: Sequence[float],
        above: float,
        below: float,
        yielding: float,
    ) -> None:
        """The places nearest to the wishes that keep the distances: pool adjacent violators."""
        items = self.items
        #: Neighbours that must stand together: what each would like, and what they do.
        pools: list[tuple[list[tuple[float, float]], float]] = []
        for index, offset in zip(layer, offsets, strict=True):
            item = items[index]
            wishes = [
                (items[other].x, pull * factor)
                for near, factor in ((item.above, above), (item.below, below))
                if factor
                for other, pull, _ in near
            ]
            for box in item.beside:
                room = (items[box].width + item.width) / 2 + _MIXED_GAP
                side = 1 if item.order > items[box].order else -1
                wishes.append((items[box].x + side * room, 0.5))
            if not wishes:
                wishes.append((item.x, 0.1))
            weight = sum(pull for _, pull in wishes) * (1.0 if item.is_box else yielding)
            pool = [(_median(wishes) - offset, weight)]
            place = pool[0][0]
            while pools and pools[-1][1] > place:
                pool = pools.pop()[0] + pool
                place = _median(pool)
            pools.append((pool, place))
        following = iter(zip(layer, offsets, strict=True))
        for pool, place in pools:
            for _ in pool:
                index, offset = next(following)
                items[index].x = place + offset

    # -- routes

    def drawing(self) -> Drawing:
        self._spread()
        leaving, arriving = self._ports()
        tops, bottoms, turns = self._heights()
        points = [
            self._climbing(number, leaving, arriving, tops, bottoms, turns)
            if number in self.back
            else self._descending(number, leaving, arriving, tops, bottoms)
            for number in range(len(self.arcs))
        ]
        own = self._own()
        points = [way[: own[number] or None] for number, way in enumerate(points)]
        boxes = [item for item in self.items if item.is_box]
        corners = [(box.x - box.width / 2, tops[box.rank]) for box in boxes]
        labels = [
            self._label(number, tops) if arc.label else None for number, arc in enumerate(self.arcs)
        ]
        every = [point for way in points for point in way]
        every += corners
        every += [
            (x + box.width, y + box.height) for box, (x, y) in zip(boxes, corners, strict=True)
        ]
        for arc, middle in zip(self.arcs, labels, strict=True):
            if arc.label and middle:
                every.append((middle[0] - arc.label[0] / 2, middle[1]))
                every.append((middle[0] + arc.label[0] / 2, middle[1] + arc.label[1] / 2))
        left, top = min(x for x, _ in every), min(y for _, y in every)

        def moved(point: Point) -> Point:
            return round(point[0] - left, 1), round(point[1] - top, 1)

        return Drawing(
            places=tuple(moved(corner) for corner in corners),
            routes=tuple(
                Route(
                    points=tuple(moved(point) for point in points[number]),
                    joins=own[number] > 0,
                    label=None if middle is None else moved(middle),
                    is_back=number in self.back,
                )
                for number, middle in enumerate(labels)
            ),
            width=round(max(x for x, _ in every) - left, 1),
            height=round(max(y for _, y in every) - top, 1),
        )

    def _label(self, number: int, tops: Sequence[float]) -> Point:
        item = self.items[self.lanes[number][0]]
        return item.x, tops[item.rank] + item.height / 2

    def _ports(self) -> tuple[list[float], list[float]]:
        """The x at which each arc leaves its source, and arrives at its target."""
        leaving: dict[int, dict[int, list[int]]] = {}
        arriving: dict[int, dict[int, list[int]]] = {}
        for number, arc in enumerate(self.arcs):
            lanes = self.lanes[number]
            following = lanes[0] if lanes else arc.target
            before = lanes[-1] if lanes else arc.source
            # Each its own way out, but together in what they share.
            leaving.setdefault(arc.source, {}).setdefault(following, []).append(number)
            arriving.setdefault(arc.target, {}).setdefault(before, []).append(number)
        starts, ends = [0.0] * len(self.arcs), [0.0] * len(self.arcs)
        for ports, places, step in ((leaving, starts, 24.0), (arriving, ends, 16.0)):
            for box, groups in ports.items():
                near = sorted(groups, key=lambda other: (self.items[other].x, other))
                xs = self._port_places(self.items[box], [self.items[other] for other in near], step)
                for other, x in zip(near, xs, strict=True):
                    for number in groups[other]:
                        places[number] = x
        return starts, ends

    def _port_places(self, box: _Item, near: Sequence[_Item], step: float) -> list[float]:
        """Ports in the order of what they lead to; a straight way keeps the middle."""
        middle = (len(near) - 1) / 2
        for place, other in enumerate(near):
            if abs(other.x - box.x) < 2:
                middle = place
        reach = max(middle, len(near) - 1 - middle)
        if reach:
            step = min(step, max(box.width / 2 - 16, 0) / reach)
        return [box.x + (place - middle) * step for place in range(len(near))]

    def _heights(self) -> tuple[list[float], list[float], dict[tuple[int, str], float]]:
        """Each layer's top and bottom, and the y of each turn of an arc that leads back."""
        below: list[list[int]] = [[] for _ in self.layers]
        above: list[list[int]] = [[] for _ in self.layers]
        for number in sorted(self.back):
            arc = self.arcs[number]
            below[self.items[arc.source].rank].append(number)
            target = above[self.items[arc.target].rank]
            if not any(self.arcs[other].target == arc.target for other in target):
                target.append(number)
        tops: list[float] = []
        bottoms: list[float] = []
        turns: dict[tuple[int, str], float] = {}
        y = 0.0
        for rank, layer in enumerate(self.layers):
            for place, number in enumerate(above[rank]):
                arc = self.arcs[number]
                for other in self.back:
                    if self.arcs[other].target == arc.target:
                        turns[other, "above"] = y - _HEAD - 4 - place * _TURN_STEP
            tops.append(y)
            y += max(self.items[index].height for index in layer)
            bottoms.append(y)
            for place, number in enumerate(below[rank]):
                turns[number, "below"] = y + 12 + place * _TURN_STEP
            far = max(
                (
                    abs(self.items[index].x - self.items[other].x)
                    for index in layer
                    for other, *_ in self.items[index].below
                ),
                default=0.0,
            )
            gap = min(_LAYER_GAP + far * 0.06, _LAYER_GAP_MOST)
            upper = len(above[rank + 1]) if rank + 1 < len(above) else 0
            y += gap + _TURN_STEP * (len(below[rank]) + upper)
            if below[rank] and upper:
                y += _TURN_STEP
        return tops, bottoms, turns

    def _descending(
        self,
        number: int,
        leaving: Sequence[float],
        arriving: Sequence[float],
        tops: Sequence[float],
        bottoms: Sequence[float],
    ) -> list[Point]:
        arc = self.arcs[number]
        source, target = self.items[arc.source], self.items[arc.target]
        points = [(leaving[number], tops[source.rank] + source.height)]
        points.append((leaving[number], bottoms[source.rank]))
        for lane in self.lanes[number]:
            item = self.items[lane]
            points += [(item.x, tops[item.rank]), (item.x, bottoms[item.rank])]
        points.append((arriving[number], tops[target.rank] - _HEAD))
        points.append((arriving[number], tops[target.rank]))
        return points

    def _climbing(
        self,
        number: int,
        leaving: Sequence[float],
        arriving: Sequence[float],
        tops: Sequence[float],
        bottoms: Sequence[float],
        turns: dict[tuple[int, str], float],
    ) -> list[Point]:
        arc = self.arcs[number]
        source, target = self.items[arc.source], self.items[arc.target]
        first = self.items[self.lanes[number][0]]
        low, high = turns[number, "below"], turns[number, "above"]
        points = [(leaving[number], tops[source.rank] + source.height)]
        points += [(leaving[number], low), (first.x, low), (first.x, tops[first.rank])]
        for lane in self.lanes[number][1:]:
            item = self.items[lane]
            points += [(item.x, bottoms[item.rank]), (item.x, tops[item.rank])]
        points += [(points[-1][0], high), (arriving[number], high)]
        points.append((arriving[number], tops[target.rank]))
        return points

    def _own(self) -> list[int]:
        """How many points of each arc there are until it joins an earlier one; 0 for all."""
        own = [0] * len(self.arcs)
        covered: set[int] = set()
        down = [number for number in range(len(self.arcs)) if number not in self.back]
        up = sorted(self.back)
        down.sort(key=lambda number: self.items[self.arcs[number].source].rank)
        up.sort(key=lambda number: -self.items[self.arcs[number].source].rank)
        for number in down + up:
            for place, lane in enumerate(self.lanes[number]):
                if lane in covered:
                    before = 4 + 2 * (place - 1) if number in self.back else 2 + 2 * place
                    own[number] = before + 1
                    break
                covered.add(lane)
        return own


def _median(wishes: Sequence[tuple[float, float]]) -> float:
    """The weighted median, which makes straight what a mean would leave slightly bent.

    Between two halves of the same weight it is the middle.
    """
    if len(wishes) == 1:
        return wishes[0][0]
    ordered = sorted(wishes)
    half = sum(pull for _, pull in wishes) / 2
    passed = 0.0
    for place, (x, pull) in enumerate(ordered):
        passed += pull
        if passed == half:
            return (x + ordered[place + 1][0]) / 2
        if passed > half:
            return x
    return ordered[-1][0]


def _explored(count: int, arcs: Sequence[Arc]) -> tuple[set[int], set[int], list[int], list[int]]:
    """The arcs that close a circle, and those by which a box was first come upon.

    With them, for each box, in which place that was, and the last place of what was
    come upon through it.
    """
    outward: list[list[int]] = [[] for _ in range(count)]
    for number, arc in enumerate(arcs):
        outward[arc.source].append(number)
    back: set[int] = set()
    tree: set[int] = set()
    found, last = [-1] * count, [-1] * count
    open_boxes: set[int] = set()
    order = 0
    for root in range(count):
        if found[root] >= 0:
            continue
        found[root] = order
        order += 1
        open_boxes.add(root)
        todo = [(root, iter(outward[root]))]
        while todo:
            box, rest = todo[-1]
            for number in rest:
                target = arcs[number].target
                if target in open_boxes:
                    back.add(number)
                elif found[target] < 0:
                    tree.add(number)
                    found[target] = order
                    order += 1
                    open_boxes.add(target)
                    todo.append((target, iter(outward[target])))
                    break
            else:
                last[box] = order - 1
                open_boxes.discard(box)
                todo.pop()
    return back, tree, found, last


def _ranks(count: int, arcs: Sequence[Arc], back: set[int]) -> list[int]:
    """The layer of each box: below all that leads to it, with room for the labels."""
    outward: list[list[Arc]] = [[] for _ in range(count)]
    missing = [0] * count
    for number, arc in enumerate(arcs):
        if number not in back:
            outward[arc.source].append(arc)
            missing[arc.target] += 1
    ranks = [0] * count
    todo = [box for box in range(count) if not missing[box]]
    for box in todo:
        for arc in outward[box]:
            ranks[arc.target] = max(ranks[arc.target], ranks[box] + (2 if arc.label else 1))
            missing[arc.target] -= 1
            if not missing[arc.target]:
                todo.append(arc.target)
    return ranks
