/* SPDX-License-Identifier: Apache-2.0 */
/* slot.pml - a competing ring (TBUS_MPMC): claim, commit, take, release, repair, with a crash anywhere. several.pml has the
 * parts, the parameters and the conventions; here are the consumers, and what must hold:
 *
 *    - a claim, a commit, a release of the living never fails and never meets another's; nobody commits a sequence twice
 *    - a message that is handed out was committed, is handed out once, and both halves of its payload are what was written
 *    - what is in doubt is exactly what the dead had taken and not released
 *    - a follower receives every message once, in order, whole, also those that a consumer has released already; an observer
 *      accepts no torn copy and nothing twice, and goes forward only
 *    - in the end, when nobody can move: every living publisher has published all, every committed message was handed out,
 *      and the ring takes N new messages and hands them out
 *    - no execution is infinite (pan -l without progress labels): nobody is kept busy for ever either
 *
 * Parameters beside those of several.pml: CONSUMERS (1, 2). When all have died, one more joins, with a number of its own.
 */
#ifndef CONSUMERS
#define CONSUMERS 2
#endif
#define COMPETING 1
#include "several.pml"

short handed;
short released;
byte consumers_left = CONSUMERS;

/* --- bus/core/subscriber.c --- */
#define TAKER_DIES atomic { me != SPARE && crashes < CRASHES -> crashes++; goto dies } /* somebody is left to take */
proctype consumer(byte me)
{
	byte position;
	short word;

end_not_needed:
	if
	:: me != SPARE
	:: me == SPARE && consumers_left == 0
	fi;
tbus_take_load_head: /* tbus_load_acquire_u64(&ring->shared->head) */
	if
	:: position = head
	:: TAKER_DIES
	fi;
tbus_take_load_slot: /* A3 tbus_load_acquire_u64(slot) */
	if
	:: atomic {
		word = SLOT(position);
		if
		:: SLOT_SEQ(word) < position -> goto end_tbus_take_null
		:: SLOT_SEQ(word) == position && (SLOT_STATE(word) == FREE || SLOT_STATE(word) == CLAIMED) ->
#ifdef MUTATE_SKIP_CLAIMED /* a claim under way is passed over as if it were taken */
			if
			:: SLOT_STATE(word) == CLAIMED -> word = 0; goto tbus_take_advance_head_past
			:: else
			fi;
#endif
			goto end_tbus_take_null
		:: SLOT_SEQ(word) == position && SLOT_STATE(word) == READY -> goto tbus_take_cas
		:: SLOT_SEQ(word) == position && SLOT_STATE(word) == TOMB -> goto tbus_take_tomb_cas
		:: else -> word = 0; goto tbus_take_advance_head_past /* taken, or a lap ahead */
		fi }
	:: TAKER_DIES
	fi;
tbus_take_cas: /* tbus_cas_u64(slot, &word, TAKEN) */
	if
	:: atomic {
		if
#ifdef MUTATE_TAKE_STORE /* a store where the CAS stands */
		:: true ->
#else
		:: SLOT(position) == word ->
#endif
			SLOT(position) = SLOT_WORD(position, me, 0, TAKEN);
			assert(committed & BIT(position));
			assert(!(handed & BIT(position))); /* never twice */
			handed = handed | BIT(position); word = 0
		:: else -> word = 0; goto tbus_take_load_slot
		fi }
	:: TAKER_DIES
	fi;
tbus_take_advance_head: /* advance_head(ring->shared, position + 1) */
	if
	:: ADVANCE(head, position + 1)
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
tbus_release: /* R4 tbus_cas_u64(slot, &taken_word, FREE of the next lap) */
	if
	:: atomic {
#ifdef MUTATE_RELEASE_SAME_LAP /* FREE(position) where FREE(position + N) belongs */
		SLOT(position) = SLOT_WORD(position, 0, 0, FREE);
#else
		assert(SLOT(position) == SLOT_WORD(position, me, 0, TAKEN));
		SLOT(position) = SLOT_WORD(position + SLOTS, 0, 0, FREE);
#endif
		released = released | BIT(position);
		position = 0; goto tbus_take_load_head }
	:: TAKER_DIES
	fi;
tbus_take_tomb_cas: /* tbus_cas_u64(slot, &word, FREE of the next lap, still marked as no message) */
	if
	:: atomic {
		if
		:: SLOT(position) == word -> SLOT(position) = SLOT_WORD(position + SLOTS, 0, 1, FREE)
		:: else
		fi;
		word = 0 }
	:: TAKER_DIES
	fi;
tbus_take_advance_head_past: /* position++; advance_head(ring->shared, position) */
	if
	:: atomic { position++; ADVANCE(head, position); goto tbus_take_load_slot }
	:: TAKER_DIES
	fi;
end_tbus_take_null: /* the next look finds the same until this slot changes */
	atomic { !over && SLOT(position) != word -> word = 0; position = 0; goto tbus_take_load_head }

dies:
	atomic { position = 0; word = 0; dead[me] = true; consumers_left-- }
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
	/* The ring has come to rest: FREE for N sequences in a row; no hint is beyond them. */
	i = 0;
	first = 255;
	do
	:: i < SLOTS ->
		assert(SLOT_STATE(slot[i]) == FREE);
		first = (SLOT_SEQ(slot[i]) < first -> SLOT_SEQ(slot[i]) : first);
		i++
	:: else -> break
	od;
	assert(tail <= first && head <= first);
	judge_readers(i, first);
	/* It takes a full ring of new messages, by the steps of claim() from the hint on ... */
	i = 0;
	position = tail;
	do
	:: i < SLOTS ->
		do
		:: CLAIMABLE(SLOT(position), position) -> break
		:: else -> assert(SLOT_SEQ(SLOT(position)) >= position); position++
		od;
		assert(position == first + i && GATE_OPEN(position));
		SLOT(position) = SLOT_WORD(position, 0, 0, READY);
		i++
	:: else -> break
	od;
	/* ... and hands them out, by the steps of tbus_take(). */
	i = 0;
	position = head;
	do
	:: i < SLOTS ->
		do
		:: SLOT_STATE(SLOT(position)) == READY && SLOT_SEQ(SLOT(position)) == position -> break
		:: else -> assert(SLOT_SEQ(SLOT(position)) > position); position++
		od;
		assert(position == first + i);
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
	run consumer(SPARE);
	run_the_rest()
	}
}
