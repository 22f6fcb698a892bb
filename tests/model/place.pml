/* SPDX-License-Identifier: Apache-2.0 */
/* place.pml - the places of a ring that may have one subscriber (TBUS_SPSC, TBUS_MPSC): how it is
 * taken, opened, displaced, evicted, left and repaired, with a crash anywhere.
 *
 * Every Promela label is a step: at most one access to shared memory. It has the name of the C
 * function that makes the access (bus/ring/place.c, publisher.c) and the access as the code spells
 * it beside it. Before each step of its own a joiner may be killed (DIES). Of the ring there is
 * only what places are about: the tail, and how far each subscriber is. The accesses are
 * sequentially consistent; their memory orders are checked by the litmus tests (place-open, gate-*,
 * one-subscriber).
 *
 * What must hold
 *    - never are there two subscribers that publishers wait for
 *    - nobody is evicted who has left room for a whole ring since it took its place: what was
 *      decided of one tenure does not hit the next, also when the same participant has it
 *    - a joiner that is killed keeps nobody out, without anybody to repair: the others end, with a
 *      place or because there is a subscriber that publishers wait for
 *    - in the end, when the dead are repaired: nobody holds a place that it does not know of, and
 *      all others can be taken
 *
 * Parameters: JOINERS (1, 2), JOINS (how often each joins, at most), TRIES (how often it tries once
 * more when it was displaced: two that displace each other could go on for ever), MESSAGES,
 * CRASHES, EVICT (the policy is TBUS_EVICT_SLOWEST), REPAIRER (0, 1: the dead are repaired). The
 * ring has one slot.
 */
#ifndef JOINERS
#define JOINERS 2
#endif
#ifndef JOINS
#define JOINS 2
#endif
#ifndef TRIES
#define TRIES 1
#endif
#ifndef MESSAGES
#define MESSAGES 2
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef REPAIRER
#define REPAIRER 1
#endif
#define PLACES JOINERS
#define SLOTS 1

/* The word of a place: tenure, displaced, owner, state. */
#define VACANT 0
#define ACTIVE 1
#define EVICTED 2
#define STATE(word) ((word) & 3)
#define OWNER(word) (((word) >> 2) & 3)
#define DISPLACED(word) (((word) >> 4) & 1)
#define TENURE(word) ((word) >> 5)
#define WORD(tenure, owner, state) (((tenure) << 5) | ((owner) << 2) | (state))
#define BECOME(word, owner, state) WORD(TENURE(word), owner, state) /* tbus_place_become() */
#define DISPLACE(word) ((word) | (1 << 4))
#define HOLDER(word) ((word) & ~19) /* owner and tenure */
#ifdef MUTATE_NO_TENURE
#define NEXT_TENURE(word) TENURE(word)
#else
#define NEXT_TENURE(word) (TENURE(word) + 1)
#endif
/* find_other_subscriber(): whoever is gone, or is already told that it cannot go on, is no
 * other. */
#define GONE(word) \
	(STATE(word) == EVICTED || (STATE(word) == VACANT && (OWNER(word) == 0 || DISPLACED(word))))

/* --- shared memory --- */
short place[PLACES];
byte progress[PLACES];
byte tail;

/* --- what really happened --- */
byte crashes;
bool dead[JOINERS + 1];
bool ended[JOINERS + 1]; /* joiner i has done all that it had to do, or is dead */
bool late[PLACES];       /* this tenure has left no room for a message */
bool published;

#define NOTE_LATE(i) late[i] = late[i] || (STATE(place[i]) == ACTIVE && tail - progress[i] >= SLOTS)
#define DIES atomic { crashes < CRASHES -> crashes++; goto dies }
#if JOINERS > 1
#define OTHER(i) (1 - (i))
#define ANOTHER_IS_ACTIVE(i) (STATE(place[OTHER(i)]) == ACTIVE)
#else
#define ANOTHER_IS_ACTIVE(i) false
#endif

/* --- bus/ring/place.c --- */
proctype joiner(byte me)
{
	byte joins = JOINS, tries = TRIES;
	byte mine; /* index of our place */
	byte end;
	short seen, word; /* of our place */
#if JOINERS > 1
	short other; /* word of the other place */
#endif

next_join:
	if
	:: joins == 0 -> goto done
	:: atomic { joins > 0 -> joins--; mine = 0 }
	fi;
#ifdef MUTATE_LOOK_FIRST /* at the other place before one of our own is taken */
	goto find_other_subscriber;
#endif
take_vacant: /* tbus_place_load(place) */
	if
	:: atomic {
		seen = place[mine];
		if
		:: STATE(seen) == VACANT && OWNER(seen) == 0
		:: else -> seen = 0; mine = (mine + 1) % PLACES; goto take_vacant
		fi }
	:: DIES
	fi;
take_vacant_cas: /* tbus_place_cas(place, word, next tenure, VACANT, ours) */
	if
	:: atomic {
		word = WORD(NEXT_TENURE(seen), me, VACANT);
		if
		:: place[mine] == seen -> place[mine] = word; late[mine] = false; seen = 0
		:: else -> seen = 0; word = 0; goto take_vacant
		fi }
	:: DIES
	fi;
#if JOINERS > 1
#ifdef MUTATE_LOOK_FIRST
	goto find_end;
#endif
find_other_subscriber: /* tbus_place_load(place) of the other */
	if
	:: atomic {
		other = place[OTHER(mine)];
		if
		:: OWNER(other) == me || GONE(other) -> other = 0;
#ifdef MUTATE_LOOK_FIRST
			goto take_vacant
#else
			goto find_end
#endif
		:: else
		fi;
		if
		:: STATE(other) == ACTIVE -> other = 0; goto refused
		:: else
		fi }
	:: DIES
	fi;
displace: /* tbus_place_cas(other, word, word | TBUS_PLACE_DISPLACED) */
	if
#ifdef MUTATE_NO_DISPLACE /* we wait for whoever is about to become the subscriber */
	:: place[OTHER(mine)] != other
#else
	:: atomic {
		if
		:: place[OTHER(mine)] == other -> place[OTHER(mine)] = DISPLACE(other)
		:: else
		fi }
#endif
	:: DIES
	fi;
	atomic { other = 0; goto find_other_subscriber };
#endif

find_end: /* open_gate(): tbus_ring_end() */
	if
	:: end = tail
	:: DIES
	fi;
set_start: /* tbus_store_relaxed_u64(&place->progress) */
	if
	:: atomic { progress[mine] = end; end = 0 }
	:: DIES
	fi;
open_gate_cas: /* G1 tbus_place_cas(place, word, ACTIVE): publishers wait for us from now on */
	if
	:: atomic {
		if
#ifdef MUTATE_OPEN_STORE /* a store where the CAS stands */
		:: true ->
#else
		:: place[mine] == word ->
#endif
			word = BECOME(word, me, ACTIVE);
			place[mine] = word;
			assert(!ANOTHER_IS_ACTIVE(mine));
			NOTE_LATE(mine)
		:: else -> /* displaced: -EAGAIN */
			if
			:: tries > 0 -> tries--; joins++
			:: else
			fi;
			goto tbus_place_leave
		fi }
	:: DIES
	fi;
find_end_again: /* G6; tbus_ring_end() */
	if
	:: end = tail
	:: DIES
	fi;
set_start_again:
	if
	:: atomic { progress[mine] = end; end = 0 }
	:: DIES
	fi;

hold: /* it takes what is there, finds out that it was evicted, or leaves */
	if
	:: atomic { progress[mine] < tail -> progress[mine] = progress[mine] + 1; goto hold }
	:: goto tbus_place_leave
	:: DIES
	fi;

refused: /* -TBUS_EKIND: the ring has its one subscriber */
tbus_place_leave: /* tbus_place_load(place) */
	if
	:: atomic {
		seen = place[mine];
		if
		:: HOLDER(seen) == HOLDER(word)
		:: else -> goto left
		fi }
	:: DIES
	fi;
/* tbus_place_cas(place, word, VACANT, nobody): others evict and displace us */
tbus_place_leave_cas:
	if
	:: atomic {
		if
		:: place[mine] == seen -> place[mine] = BECOME(seen, 0, VACANT)
#ifdef MUTATE_LEAVE_ONCE /* it is tried once */
		:: else
#else
		:: else -> seen = 0; goto tbus_place_leave
#endif
		fi }
	:: DIES
	fi;
left:
	atomic { seen = 0; word = 0; goto next_join };
dies:
	atomic { seen = 0; word = 0; joins = 0; tries = 0; mine = 0; end = 0; dead[me] = true };
done:
	ended[me] = true
}

/* --- bus/ring/publisher.c --- */
#define WAITS_FOR(i) (STATE(place[i]) == ACTIVE && tail - progress[i] >= SLOTS)
#if JOINERS > 1
#define NO_ROOM (WAITS_FOR(0) || WAITS_FOR(1))
#else
#define NO_ROOM WAITS_FOR(0)
#endif
proctype publisher()
{
	byte i;
	short seen;

end_next_message: /* TBUS_PUBLISHED; or TBUS_FULL, for good when the dead are not repaired */
	atomic {
	if
	:: tail == MESSAGES -> goto done
	:: tail < MESSAGES && !NO_ROOM ->
		tail++;
		NOTE_LATE(0);
#if JOINERS > 1
		NOTE_LATE(1);
#endif
		goto end_next_message
#ifdef EVICT
	:: tail < MESSAGES && NO_ROOM
#endif
	fi };
#ifdef EVICT
evict_slowest: /* tbus_place_load(sub), then its progress */
	seen = place[i];
evict_slowest_progress:
	atomic {
	if
	:: STATE(seen) == ACTIVE && tail - progress[i] >= SLOTS
	:: else ->
		seen = 0; i++;
		if
		:: i < PLACES -> goto evict_slowest
		:: else -> i = 0; goto end_next_message
		fi
	fi };
tbus_place_evict: /* tbus_place_cas(place, word, EVICTED) */
	atomic {
	if
	:: place[i] == seen ->
		assert(late[i]);
		place[i] = BECOME(seen, OWNER(seen), EVICTED)
	:: else
	fi;
	seen = 0; i = 0; goto end_next_message };
#endif
done:
	published = true
}

/* --- tbus_place_repair(), of whoever is proven dead --- */
#if REPAIRER
proctype repairer(byte owner)
{
	byte i;
	short seen;

end_alive:
	dead[owner];
tbus_place_repair: /* tbus_place_load(place) */
	atomic {
	seen = place[i];
	if
	:: OWNER(seen) == owner
	:: else -> goto next_place
	fi };
tbus_place_repair_cas: /* tbus_place_cas(place, word, VACANT, nobody) */
	atomic {
	if
	:: place[i] == seen -> place[i] = BECOME(seen, 0, VACANT)
	:: else -> seen = 0; goto tbus_place_repair
	fi };
next_place:
	atomic {
	seen = 0; i++;
	if
	:: i < PLACES -> goto tbus_place_repair
	:: else
	fi }
}
#endif

proctype judge()
{
	byte i;

	atomic {
	timeout ->
	i = 1;
	do
	:: i <= JOINERS -> assert(ended[i]); i++ /* nobody is kept out */
	:: else -> break
	od;
	i = 0;
	do
	:: i < PLACES ->
		/* Everybody has left or died: no place is held. */
#if REPAIRER
		assert(STATE(place[i]) == VACANT && OWNER(place[i]) == 0);
#else
		assert(OWNER(place[i]) == 0 || dead[OWNER(place[i])]);
#endif
		i++
	:: else -> break
	od;
#if REPAIRER
	assert(published)
#endif
	}
}

init
{
	atomic {
	run joiner(1);
#if JOINERS > 1
	run joiner(2);
#endif
	run publisher();
#if REPAIRER
	run repairer(1);
#if JOINERS > 1
	run repairer(2);
#endif
#endif
	run judge()
	}
}
