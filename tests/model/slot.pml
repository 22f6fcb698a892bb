/* SPDX-License-Identifier: Apache-2.0 */
/* slot.pml - a competing ring (TBUS_MPMC): claim, commit, take, release, repair, with a crash
 * anywhere. several.pml has the parts, the parameters and the conventions; here are the consumers,
 * and what must hold:
 *
 *    - a claim, a commit, a release of the living never fails and never meets another's; nobody
 *      commits a sequence twice
 *    - a message that is handed out was committed, is handed out once, and both halves of its
 *      payload are what was written
 *    - what is in doubt is exactly what the dead had taken and not released
 *    - a follower receives every message once, in order, whole, also those that a consumer has
 *      released already; an observer accepts no torn copy and nothing twice, and goes forward only
 *    - in the end, when nobody can move: every living publisher has published all, every committed
 *      message was handed out, and the ring takes N new messages and hands them out
 *    - no execution is infinite (pan -l without progress labels)
 *
 * Parameters beside those of several.pml: CONSUMERS (1..3). When all have died, one more joins,
 * with a number of its own.
 */
#ifndef CONSUMERS
#define CONSUMERS 2
#endif
#define COMPETING 1
#include "several.pml"

short handed;
short released;
byte consumers_left = CONSUMERS;

/* --- bus/ring/subscriber.c --- */
#ifdef MUTATE_NO_SETTLE_TAKE
#define MUST_SETTLE_TAKE(owner, me) false
#else
#define MUST_SETTLE_TAKE(owner, me) ((owner) != 0 && (owner) != (me))
#endif
inline releasing(position)
{
#ifdef MUTATE_RELEASE_SAME_LAP /* FREE(position) where FREE(position + N) belongs */
	SLOT(position) = SLOT_WORD(position, 0, 0, FREE);
#else
	SLOT(position) = SLOT_WORD(position + SLOTS, 0, 0, FREE);
#endif
	released = released | BIT(position)
}
/* somebody is left to take */
#define TAKER_DIES atomic { me != SPARE && crashes < CRASHES -> crashes++; goto dies }
proctype consumer(byte me)
{
	byte position;
	short seen;  /* of takes */
	short word;  /* of the slot at position; 0: it is to be passed */
	short other; /* what was seen of a message that is to be settled */

end_not_needed:
	if
	:: me != SPARE
	:: me == SPARE && consumers_left == 0
	fi;
tbus_take_load_takes: /* tbus_load_acquire_u64(&ring->shared->takes) */
	if
	:: atomic { seen = takes; position = NEXT_POSITION(seen) }
	:: TAKER_DIES
	fi;
tbus_take_load_slot: /* R2 tbus_load_acquire_u64(slot) */
	if
	:: atomic {
		word = SLOT(position);
		if
		:: SLOT_SEQ(word) < position -> seen = 0; goto end_tbus_take_null
		:: SLOT_SEQ(word) == position && (SLOT_STATE(word) == FREE || SLOT_STATE(word) == CLAIMED) ->
#ifdef MUTATE_SKIP_CLAIMED /* a claim under way is passed over as if it were taken */
			if
			:: SLOT_STATE(word) == CLAIMED -> word = 0; goto pass
			:: else
			fi;
#endif
			seen = 0; goto end_tbus_take_null
		:: SLOT_SEQ(word) == position && SLOT_STATE(word) == READY
#ifdef MUTATE_PASS_FIRST
		:: SLOT_SEQ(word) == position && SLOT_STATE(word) == TOMB
#else
		:: SLOT_SEQ(word) == position && SLOT_STATE(word) == TOMB -> goto tbus_take_tomb_cas
#endif
		:: else -> word = 0 /* a tomb that somebody freed; or ours is out of date */
		fi;
pass:
		if
		:: MUST_SETTLE_TAKE(NEXT_BEFORE(seen), me)
		:: else -> goto settled
		fi }
	:: TAKER_DIES
	fi;
settle_take_load: /* tbus_load_acquire_u64(slot of position - 2) */
	if
	:: atomic {
		other = BEING_READ(SLOT(SETTLED(position)), SETTLED(position));
		if
		:: other == NOTHING -> other = 0; goto settled
		:: else
		fi }
	:: TAKER_DIES
	fi;
settle_take_cas: /* tbus_cas_u64(slot of position - 2, &other, TAKEN by whoever takes names) */
	if
	:: atomic { settle_take(SETTLED(position), other, NEXT_BEFORE(seen)) }
	:: atomic { me != SPARE && crashes < CRASHES -> crashes++; other = 0; goto dies }
	fi;
settled:
	if
	:: word == 0 || SLOT_STATE(word) == TOMB -> goto take_pass_cas
	:: else
	fi;
take_cas: /* tbus_cas_u64(&ring->shared->takes, &seen, position + 1, ours) */
	if
	:: atomic {
		word = 0;
		if
#ifdef MUTATE_TAKE_STORE /* a store where the CAS stands */
		:: true ->
#else
		:: takes == seen ->
#endif
			takes = NEXT_WORD(position + 1, me, NEXT_LAST(seen));
			seen = 0;
			assert(committed & BIT(position));
			assert(!(handed & BIT(position))); /* never twice */
			handed = handed | BIT(position)
		:: else -> seen = 0; position = 0; goto tbus_take_load_takes
		fi }
	:: TAKER_DIES
	fi;
message_0: /* the caller reads the payload in place */
	if
	:: assert(payload[2 * (position % SLOTS)] == VALUE(position))
	:: TAKER_DIES
	fi;
message_1:
	if
	:: assert(payload[2 * (position % SLOTS) + 1] == VALUE(position))
	:: TAKER_DIES
	fi;
release_cas: /* R3 tbus_cas_u64(slot, &ready_word, FREE of the next lap) */
	if
	:: atomic {
		if
/* a store where the CAS stands, and a repairer that frees what the living read */
#ifdef MUTATE_RELEASE_STORE
		:: true -> releasing(position)
#else
		:: SLOT(position) == SLOT_WORD(position, 0, 0, READY) -> releasing(position)
#endif
		:: else -> goto release_cas_settled
		fi;
		position = 0; goto tbus_take_load_takes }
	:: TAKER_DIES
	fi;
release_cas_settled: /* R3 tbus_cas_u64(slot, &taken_word, FREE of the next lap) */
	if
	:: atomic {
		assert(SLOT(position) == SLOT_WORD(position, me, 0, TAKEN));
		releasing(position);
		position = 0; goto tbus_take_load_takes }
	:: TAKER_DIES
	fi;
/* tbus_cas_u64(slot, &word, FREE of the next lap, still marked as no message) */
tbus_take_tomb_cas:
	if
	:: atomic {
		if
		:: SLOT(position) == word -> SLOT(position) = SLOT_WORD(position + SLOTS, 0, 1, FREE)
		:: else
		fi;
		word = 0;
#ifdef MUTATE_PASS_FIRST
		goto tbus_take_load_takes
#else
		goto pass
#endif
		}
	:: TAKER_DIES
	fi;
take_pass_cas: /* tbus_cas_u64(&ring->shared->takes, &seen, position + 1, nobody) */
	if
	:: atomic {
		if
		:: takes == seen -> takes = NEXT_WORD(position + 1, 0, NEXT_LAST(seen))
		:: else
		fi;
		seen = 0;
#ifndef MUTATE_PASS_FIRST
		position = 0;
#else /* the tomb is passed, and then its slot is freed */
		if
		:: SLOT_STATE(word) == TOMB -> goto tbus_take_tomb_cas
		:: else
		fi; position = 0;
#endif
		goto tbus_take_load_takes }
	:: TAKER_DIES
	fi;
end_tbus_take_null: /* the next look finds the same until this slot changes */
	atomic { !over && SLOT(position) != word -> word = 0; position = 0; goto tbus_take_load_takes }

dies:
	atomic { position = 0; seen = 0; word = 0; dead[me] = true; consumers_left-- }
}

proctype judge()
{
	byte i, position, first;

	atomic {
	timeout ->
	over = true;
	judge_publishers(i);
	/* Nothing is lost, and what is in doubt is what the dead held. */
	assert(committed == handed);
	assert((released | in_doubt) == handed && !(released & in_doubt));
	/* The ring has come to rest: FREE for N sequences in a row; and that is where publishers and
	 * consumers go on. */
	i = 0;
	first = 255;
	do
	:: i < SLOTS ->
		assert(SLOT_STATE(slot[i]) == FREE);
		first = (SLOT_SEQ(slot[i]) < first -> SLOT_SEQ(slot[i]) : first);
		i++
	:: else -> break
	od;
	assert(NEXT_POSITION(claims) == first && NEXT_POSITION(takes) == first);
	judge_readers(i, first);
	/* It takes a full ring of new messages ... */
	i = 0;
	do
	:: i < SLOTS ->
		position = first + i;
		assert(CLAIMABLE(SLOT(position), position) && GATE_OPEN(position));
		SLOT(position) = SLOT_WORD(position, 0, 0, READY);
		i++
	:: else -> break
	od;
	/* ... and hands them out. */
	i = 0;
	do
	:: i < SLOTS ->
		position = first + i;
		assert(SLOT_STATE(SLOT(position)) == READY && SLOT_SEQ(SLOT(position)) == position);
		SLOT(position) = SLOT_WORD(position + SLOTS, 0, 0, FREE);
		i++
	:: else -> break
	od
	}
}

init
{
	byte i;

	atomic {
	do
	:: i < SLOTS -> slot[i] = SLOT_WORD(i, 0, 0, FREE); i++
	:: else -> break
	od;
	run consumer(FIRST_CONSUMER);
#if CONSUMERS > 1
	run consumer(FIRST_CONSUMER + 1);
#endif
#if CONSUMERS > 2
	run consumer(FIRST_CONSUMER + 2);
#endif
	run consumer(SPARE);
	run_the_rest()
	}
}
