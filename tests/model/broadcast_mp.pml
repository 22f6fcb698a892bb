/* SPDX-License-Identifier: Apache-2.0 */
/* broadcast_mp.pml - a broadcast ring with several publishers (TBUS_BROADCAST_MP): claim behind the
 * gate, progress, observers, repair, with a crash anywhere. several.pml has the parts, the
 * parameters and the conventions. What must hold:
 *
 *    - a claim and a commit of the living never fails and never meets another's; nobody commits a
 *      sequence twice
 *    - every subscriber that lives receives every committed message once, in order, whole, and no
 *      tomb
 *    - an observer accepts no torn copy, nothing twice, and goes forward only: what it passes over
 *      it counts as lost
 *    - in the end, when nobody can move: every living publisher has published all, nobody that
 *      lives has anything left to receive, and there is room for N new messages
 *    - no execution is infinite (pan -l without progress labels)
 */
#define CONSUMERS 0
#define COMPETING 0
#include "several.pml"

proctype judge()
{
	byte i, position, end;

	atomic {
	timeout ->
	over = true;
	judge_publishers(i);
	/* The ring has come to rest: no claim is left, and the sequences up to the last one are all
	 * there. */
	i = 0;
	do
	:: i < SLOTS ->
		assert(SLOT_STATE(slot[i]) == READY || SLOT_STATE(slot[i]) == TOMB ||
			SLOT_STATE(slot[i]) == FREE);
		if
		:: SLOT_STATE(slot[i]) != FREE && SLOT_SEQ(slot[i]) >= end -> end = SLOT_SEQ(slot[i]) + 1
		:: else
		fi;
		i++
	:: else -> break
	od;
	assert(NEXT_POSITION(claims) == end);
	judge_readers(i, end);
	/* It takes a full ring of new messages. */
	i = 0;
	do
	:: i < SLOTS ->
		position = end + i;
		assert(CLAIMABLE(SLOT(position), position) && GATE_OPEN(position));
		SLOT(position) = SLOT_WORD(position, 0, 0, READY);
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
	run_the_rest()
	}
}
