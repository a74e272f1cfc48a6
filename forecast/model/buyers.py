"""Buyers: when a battery falls due they drop what does not fit, choose, wait if it cannot be delivered, and remember."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from forecast.declare import Block, Lognormal, Quantity, Triangular, parameter, setting
from forecast.layout import blank, side_by_side
from forecast.model.calendar import MONTHS_PER_YEAR, QUARTER, RETIRE, SHOP, TAKE_HOME, month, on
from forecast.model.cost import annuity
from forecast.streams import keys, normal, uniform

TASTES = ("price", "weight", "cold", "charging", "safety")
REQUIREMENTS = ("specific_energy", "cycle_life", "cold_capacity", "hazard")
OFFER = ("base", "habit", "admission", *TASTES, *REQUIREMENTS)
"""What a chemistry is to the buyers of a cell.

base                its utility to the mean buyer
habit               utility of owning it already
admission           share of buyers whose products admit it; 0 no offer
a taste             how much a standard deviation of the taste adds to that
a requirement       the most demanding buyer whom it still serves, as a standard normal number
"""
AGE_CLASSES = 16
"""Batteries pass through this many classes of age, so lifetimes follow an Erlang distribution with a spread of 25 %."""
SAMPLES = 5  # programme stage ("ramp") in which a maker hands out serial samples
LISTED = MONTHS_PER_YEAR  # those who fall due so soon are listed in one go
ONCE = np.array([0])  # buyers are the same people in every world
TINY = 1e-6
WIDEST = 2.0  # tastes beyond two standard deviations are cut, so that none changes sign


class Buyers(Block):
    """Behaviour and number of buyers."""

    number: int = setting("Buyers in each realization, divided over segments and regions", 100_000)
    peer_memory: Quantity = parameter("month", "Time over which buyers remember what peers bought", "assumption: about a year", 12.0, Lognormal(12.0, 0.3), at_least=1)
    patience: Quantity = parameter("1", "Utility per logarithm of the share of orders that was delivered of late", "assumption: project dates bind, nobody waits long for a cell", 1.0, Lognormal(1.0, 0.2), at_least=0, at_most=100)
    waiting_memory: Quantity = parameter("month", "Time over which buyers remember that they had to wait", "assumption", 3.0, Lognormal(3.0, 0.3), at_least=1)
    withdrawal: Quantity = parameter("1/month", "Share of waiting orders that buyers give up each month", "assumption: a car or a storage project that waits a year is mostly lost or built otherwise", 0.12, Lognormal(0.12, 0.3), at_least=0, at_most=1)
    pack_mass_share: Quantity = parameter("1", "Share of pack cost that grows as specific energy falls", "assumption: housing, cooling and wiring scale with mass, electronics do not", 0.5, Triangular(0.3, 0.5, 0.7), at_least=0, at_most=1)
    pack_reference: Quantity = parameter("Wh/kg", "Pack specific energy at which `pack_cost` of the segments holds", "definition: LFP packs of 2020", 110, above=0)


class Shoppers:
    """Buyers by cell (segment x region), in every world of the block; one row of tastes serves all worlds."""

    def __init__(self, parameters, seed: int, realizations: np.ndarray):
        self.own, self.segments, self.chemistries, self.regions = parameters.buyers, parameters.segments, parameters.chemistries, parameters.regions
        self.first_year = parameters.first_year
        self.on_record = np.array([name in parameters.unexplained.segments for name in self.segments.names], float)
        self.shape = (parameters.size, len(self.segments.names), len(self.regions.names), len(self.chemistries.names))
        from forecast.model import ageing, choice, offers, trade  # compiled code is slow to load and needed only to play

        self.ageing, self.choice, self.offers, self.worlds_last = ageing, choice, offers, trade.worlds_last
        self._enrol(seed, realizations)
        self._open_stock()
        worlds, segments, regions, chemistries = self.shape
        self.first_sample = side_by_side(np.where(self.chemistries.programme, np.inf, -np.inf), (worlds, chemistries))
        self.peers = side_by_side(self.segments.opening_shares[:, :, None, :], self.shape)
        self.wishes = self.peers.copy(order="K")
        self.waiting = blank((worlds, segments, chemistries), 1.0)
        self.opened, self.served = blank(self.waiting.shape), blank(self.waiting.shape)
        self.energy, self.heavier = blank((worlds, chemistries)), blank((worlds, chemistries))
        self.law, self.lifted = blank(self.shape), blank(self.shape, np.inf)
        self.obeyed, self.awaited = 0, False
        self.heeded: int | None = None
        self.barred, self.still_closed = blank(self.shape), np.exp(-1.0 / self.segments.acceptance_time)
        self.offer = self.choice.offers_for(segments * regions, worlds, chemistries)
        self.wish = blank(self.shape)
        self._note("habit", by_cell(self.segments.habit))
        self.fix()

    def _enrol(self, seed: int, realizations: np.ndarray) -> None:
        """Deal tastes by name, and hang everyone on the month in which the first battery falls due."""
        worlds, _, regions, _ = self.shape
        size = self._sizes()
        cells = tuple(f"{segment}/{region}" for segment in self.segments.names for region in self.regions.names)
        self.start = np.concatenate([[0], np.cumsum(size)])
        total = int(self.start[-1])
        self.profile, habit, left = born(seed, cells, tuple(size.tolist()))
        self.cell_key = np.concatenate([keys(seed, f"buyers of {cell}", ONCE) for cell in cells])
        self.key = keys(seed, "choice", realizations)
        self.due = np.zeros(worlds * total, np.int16)
        self.owned = np.full(worlds * total, self.choice.NOTHING)
        self.list, self.visits = self.choice.room(worlds, len(cells), total)
        shares = np.repeat(self.segments.opening_shares, regions, axis=1)
        life = np.repeat(self.segments.service_life * MONTHS_PER_YEAR, regions, axis=1)
        self.choice.enrol(self.due, self.owned, self.start, habit, left, shares, life)
        from forecast.special import gammaincinv

        self.life_factor = (gammaincinv(AGE_CLASSES, (np.arange(256) + 0.5) / 256) / AGE_CLASSES).astype(np.float32)

    def _sizes(self) -> np.ndarray:
        """Buyers of each cell: by the segment's weight and the square root of the region's demand."""
        weight = self.segments.buyers[0][:, None] * np.sqrt(self.segments.saturation[0])
        weight = self.segments.buyers[0][:, None] * weight / weight.sum(axis=1, keepdims=True)
        return np.maximum(np.rint(self.own.number * weight / weight.sum()), 1).astype(int).ravel()

    def _open_stock(self) -> None:
        """Batteries in use at the start, young as fleets are that grow."""
        first_year = self.segments.history[None, :, :, :1]
        stock = first_year * self.segments.opening_years[:, :, None, None] * self.segments.opening_shares[:, :, None, :]
        self.ages = side_by_side(stock[..., None] / AGE_CLASSES, (*self.shape, AGE_CLASSES))

    def run(self, env, market):
        """Shop, take home what was delivered, retire what is worn out."""
        market.stock[...] = self.ages.sum(axis=-1)  # tells `retire` what is in use at all
        while True:
            yield on(env, SHOP)
            self.shop(market, month(env))
            yield on(env, TAKE_HOME)
            self.take_home(market, month(env))
            yield on(env, RETIRE)
            self.retire(market)

    def shop(self, market, now: int) -> None:
        """Those who are due choose; their wishes divide the month's demand and what is still waiting."""
        self.admit(market, now)
        self.obey(market, now)
        self.weigh(market, now)
        if now % QUARTER == 0:
            self.align(market)
        if now % LISTED == 0:
            self.choice.list_due(now + LISTED, self.due, self.owned, self.start, *self.list)
        who = self.profile, self.start, self.cell_key, self.key
        self.choice.shop(now, *self.list, *self.visits, *who, self.offer, self.wish.reshape(len(self.wish), len(self.offer), -1))
        self.place_orders(market, self.wish)

    def admit(self, market, now: int) -> None:
        """A chemistry is designed in from its first serial samples; then product lines open to it one by one, as after a bar is lifted."""
        numbers = market.programme_stage, market.offered, self.segments.design_in, self.segments.acceptance_time, self.first_sample, self.opened
        self.offers.admit(float(now), SAMPLES, *self.worlds_last(*numbers))

    def obey(self, market, now: int) -> None:
        """A stricter bar closes products at once; one that is lifted keeps them closed until others are designed."""
        if market.proclaimed == self.obeyed and not self.awaited:
            return
        looser = market.barred < self.law
        np.copyto(self.lifted, now, where=looser & np.isinf(self.lifted))
        waits = looser & (now < self.lifted + by_cell(self.segments.design_in))
        np.copyto(self.law, market.barred, where=~waits)
        np.copyto(self.lifted, np.inf, where=~waits)
        self.obeyed, self.awaited = market.proclaimed, bool(waits.any())

    def fix(self) -> None:
        """Work out once what no price and no month changes: how chemistries last, charge and stand cold."""
        cycles = self.chemistries.cycle_life[:, None, :] / self.segments.cycles_per_year[:, :, None]
        self.life = np.minimum(np.minimum(cycles, self.chemistries.calendar_life[:, None, :]), self.segments.service_life[:, :, None])
        rate = self.segments.discount_rate[:, :, None]
        self.spans = annuity(rate, self.segments.service_life[:, :, None]) / annuity(rate, self.life)
        self.life_months = self.life * MONTHS_PER_YEAR
        self.pace = np.minimum(AGE_CLASSES / self.life_months, 1.0)
        segments, winter = self.segments, self.regions.winter[:, None, :, None]
        cold, charge = self.chemistries.cold_capacity[:, None, None, :], self.chemistries.charge_rate[:, None, None, :]
        self.calm = self._taste("cold", by_cell(segments.cold) * winter * cold) + self._taste("charging", by_cell(segments.charging) * np.log(charge))
        endures = np.log(self.chemistries.cycle_life[:, None, None, :] / np.maximum(by_cell(segments.minimum_cycle_life), TINY))
        needed = by_cell(segments.minimum_cold_capacity) * winter
        stands = np.log(np.maximum(cold, TINY) / np.maximum(needed, TINY))
        self.calm_met = self._met("cycle_life", endures) * self._met("cold_capacity", stands)

    def heed(self, market) -> None:
        """Look again at the hazard of every chemistry, if there was news."""
        if market.proclaimed == self.heeded:
            return
        self.heeded = market.proclaimed
        hazard = (self.chemistries.hazard + market.alarm)[:, None, None, :]
        self.lasting = self.calm + self._taste("safety", -by_cell(self.segments.safety) * hazard)
        self.lasting_met = self.calm_met * self._met("hazard", np.log(by_cell(self.segments.highest_hazard) / np.maximum(hazard, TINY)))

    def _taste(self, name: str, utility: np.ndarray) -> np.ndarray:
        """Note how a taste bends the utility of each chemistry; returns the utility of the mean buyer."""
        self._note(name, utility * by_cell(self.segments.taste_spread))
        return utility

    def _note(self, name: str, number: np.ndarray) -> None:
        """Write what a chemistry is to the buyers of each cell where they read it; (realization, segment, region, chemistry)."""
        worlds, _, _, chemistries = self.shape
        everywhere = np.moveaxis(np.broadcast_to(number, self.shape), 0, 2)
        self.offer[..., OFFER.index(name)] = everywhere.reshape(len(self.offer), worlds, chemistries)

    def offered(self, name: str) -> np.ndarray:
        """What ``_note`` or ``weigh`` wrote last, (realization, segment, region, chemistry) float32; of no use where nobody is offered it."""
        worlds, segments, regions, chemistries = self.shape
        return np.moveaxis(self.offer[..., OFFER.index(name)].reshape(segments, regions, worlds, chemistries), 2, 0)

    def _met(self, name: str, margin: np.ndarray) -> np.ndarray:
        """Share of buyers who are not too demanding to be served; notes the limit.

        Requirements are lognormal over buyers, so the limit is a standard normal quantile.
        margin  (realization, segment, 1 or region, chemistry)  logarithm of what is given over what the median buyer needs
        """
        limit = margin / by_cell(self.segments.requirement_spread)
        self._note(name, limit)
        return normal_share(limit)

    def weigh(self, market, now: int) -> None:
        """Note what each chemistry is to the buyers of a cell this month."""
        self.heed(market)
        own, segments, chemistries = self.own, self.segments, self.chemistries
        energy = market.specific_energy * chemistries.packing[:, now]
        packs = energy, own.pack_mass_share, own.pack_reference, chemistries.pack_cost_factor, segments.minimum_specific_energy
        needed = segments.requirement_path[:, now], segments.requirement_spread
        self.offers.examine(*self.worlds_last(*packs, *needed, self.energy, self.heavier, self.served))
        prices = market.offer_price, market.subsidy, segments.pack_cost[:, now], self.heavier, self.spans
        closed = self.law, self.still_closed, self.barred, self.opened, self.served
        places = self.energy, market.makers_choice, market.unexplained_taste, self.regions.range_taste
        tastes = segments.price_sensitivity, segments.weight, segments.taste_spread, segments.imitation, segments.variety, self.on_record
        minds = self.lasting, self.peers, *closed, own.patience, self.waiting
        arrays = (*self.worlds_last(*prices, *minds, *places, *tastes), self.offer)
        self.offers.weigh(*arrays)

    def align(self, market) -> None:
        """Note each quarter what share of buyers a chemistry suits."""
        suited = self.opened, self.barred, self.lasting_met, normal_share(self.served), market.application_alignment
        self.offers.align(*self.worlds_last(*suited))

    def place_orders(self, market, wish: np.ndarray) -> None:
        """Demand of the month and waiting orders, divided as the shoppers wished; a month without shoppers repeats the last."""
        arrays = wish, market.demand, market.backlog, self.own.withdrawal, self.wishes, market.withdrawn, market.orders
        self.offers.place(*self.worlds_last(*arrays, market.orders_by_region))

    def take_home(self, market, now: int) -> None:
        """Deliveries enter the stock; what was not delivered waits; peers see what was bought."""
        _, when, mine, _ = self.list
        self.choice.take_home(now, when, mine, *self.visits, market.fill, self.life_months, self.life_factor)
        self.remember(market)

    def remember(self, market) -> None:
        """What was not delivered waits and puts others off; peers see what was bought."""
        memory = self.own.patience, self.own.waiting_memory, self.own.peer_memory, self.waiting
        arrays = market.orders, market.fill, *memory, market.deliveries, market.backlog, market.discouraged, self.peers
        self.offers.receive(*self.worlds_last(*arrays))

    def retire(self, market) -> None:
        """Batteries age class by class; those that leave the last class retire."""
        batteries = self.ages, self.pace, market.deliveries, market.retirements, market.stock
        self.ageing.grow_old(*self.worlds_last(*batteries))


@lru_cache(maxsize=1)
def born(seed: int, cells: tuple[str, ...], size: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What buyers are and own at birth, dealt by name: the same in every block, so the last are kept; nobody writes to them.

    returns  tastes, requirements and openness (buyer, 10) float32; uniform luck of the chemistry owned and of its life left, (buyer,)
    """
    profiles, lucks = [], []
    for cell, count in zip(cells, size, strict=True):
        taste = np.clip(normal(seed, f"taste {cell}", ONCE, count, len(TASTES))[0], -WIDEST, WIDEST)
        need = normal(seed, f"need {cell}", ONCE, count, len(REQUIREMENTS))[0]
        openness = uniform(seed, f"openness {cell}", ONCE, count, 1)[0]
        profiles.append(np.concatenate([taste, need, openness], axis=1).astype(np.float32))
        lucks.append(uniform(seed, f"opening {cell}", ONCE, count, 2)[0])
    luck = np.concatenate(lucks)
    return np.concatenate(profiles), luck[:, 0].copy(), luck[:, 1].copy()


def by_cell(number: np.ndarray) -> np.ndarray:
    """A number of each segment, ready to meet regions and chemistries: (realization, segment, 1, 1)."""
    return number[:, :, None, None]


def normal_share(limit: np.ndarray) -> np.ndarray:
    """Share of standard normal draws at or below ``limit``."""
    from forecast.special import ndtr

    return ndtr(limit)
