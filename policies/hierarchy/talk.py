"""Sentences that are said beside a robot at work and are no command: the command encoder and recognizers learn to let
them pass. Pure data."""

from __future__ import annotations

_SENTENCES = """
that's right | you're right about that | all right then | alright let's see | right so where were we | right now i'm
a bit busy | is that the right one | you had the right idea | it's on the right track | i think she's right | right
as i was saying | that can't be right | the right people never show up | he's right handed i think | i'll be right
back | right after lunch we have a meeting | how much time is left | there's nothing left | she left already | they
left an hour ago | i left my keys at home | who left the window open | there's one left over from yesterday | he
left the company last year | is there any coffee left | only two days left | which one is the left arm | the left
one looks slower than the other | the left arm squeaks | is the left gripper new | what's wrong with the right hand
| why did the right arm stop | the left hand doesn't know what the right hand is doing | the right arm is my
favorite | my left arm hurts today | i broke my arm last winter | that cost an arm and a leg | his arm is in a sling
| how heavy is one arm | how many joints does the arm have | the arm is made of plastic | who built these arms |
does the arm get hot | the arm shakes a little doesn't it | look how the arm moves | give me a hand with this desk
will you tom | let me give you a hand | on the other hand it was cheap | can i shake its hand | i need to wash my
hands | hands off my lunch | it's out of our hands | raise your hand if you have a question | second hand ones are
cheaper | the box is nearly full | the box is empty | where did you buy that box | is that box made of wood | what's
in the box | how many fit in the box | there are three in the box already | the box looks too small | someone moved
the box yesterday | that box came in the mail | think outside the box | i need a bigger box | the box is in the way
| the lid of the box is missing | did it miss the box | it almost hit the box | my inbox is overflowing | the box
office opens at six | the red one fell over | red is my favorite color | which red do you mean | is the red block
heavier than the blue one | the red block is nice | i like the red ones best | the red light is on | my face must be
red | the red block rolled off yesterday | we lost the red block last week | the traffic light was red | the red
block was picked up nicely | it dropped the red block twice today | the green one is missing | the grass is greener
over there | the green cylinder is from the toy shop | can it see the green cylinder | is that cylinder green or
blue | the blue ball keeps rolling away | i feel a bit blue today | where's the blue ball gone | the blue ball is
round so it's hard | the yellow bar is longer than i thought | yellow means caution | who painted the bar yellow |
let's meet at the bar tonight | the purple capsule looks like a pill | isn't that purple pretty | what's the purple
thing for | the orange cross is the hardest one | i'd rather have orange juice | an orange is a fruit and a color |
it got the orange cross at the first try | is the shop open on sunday | the door is open | they open at nine | it's
an open source project | why is the gripper open | was the gripper open or closed | open question really | i kept an
open mind | did you open the email | the gripper opened too early | we're open to ideas | close enough | that was
close | we're really close to the deadline | she's a close friend | the museum is closed on mondays | the gripper
closed too soon | it's too close to call | are we close to done | the shop closes at eight | what's up | up to you |
what are you up to | it's up to her | he never gives up | i woke up at five | we need to wrap this up soon | time's
up for today's class | things are looking up | i grew up near here | she looked it up | hurry up dad we're late |
i'm fed up with this weather | the server is down | i'm feeling down | the internet went down again | let me write
that down | it broke down last night | calm down peter it's fine | the numbers are down this month | are you down
for pizza | sit down everyone | slow down when you talk to the visitors | he's at home sick | i want to go home soon
| when do you go home | my home is far away | i'm going home at five | she works from home | home is where the heart
is | we went home late yesterday | make yourself at home anna | does it go home by itself | did it go back home
properly | home office is more quiet | is it still working | it's still there | i still don't get it | still not
fast enough | are you still filming | still it's impressive | he's still on the phone | we still have an hour | why
is it standing still | it held still quite well | the still image looks blurry | i still have to eat | move on to
the next topic | we're moving house next week | the movers come tomorrow | what a smart move | it moves like a human
| is it supposed to move like that | it moved all by itself | don't pick that up | don't touch the blue ball | don't
take the yellow bar | don't put it in the box | don't drop it | don't open the gripper | don't close the hand |
don't go home yet | don't go up | don't turn it | don't you dare drop that | never grab the green one | you
shouldn't have picked that up | you shouldn't put that in the box | i told you not to pick it up | please don't put
it down | please don't open it | please don't hand it over | not the red one | not in the box | not the left arm |
no not that one | not to the right | not so high | we don't want it in the box | i wouldn't put it down there | it
picked up the wrong one | it put the ball in the box | it put it down very gently | why did you pick that up | why
did it let go | did it just let go | did you see it grab that | it turned the wrong way | it turned clockwise
instead | is clockwise this way or that way | how do you say clockwise in french | who turned off the light | turn
off the radio please | turn the heating down | turn on the lights | pick up the phone | pick a card any card | pick
me up at seven | i have to pick up the kids | hand me the screwdriver | hand me my glasses | pass me the salt | pass
the ketchup | give me the scissors | grab the mug | pick up the mug | pick up the sponge | take the pen | get the
hammer | lift the chair | pick up the fork | grab my phone | bring me a beer | put the cup in the sink | put the
plate in the dishwasher | put the book on the shelf | put the socks in the drawer | put the milk back in the fridge
| place the spoon next to the bowl | drop the keys on the sofa | open the drawer | open the fridge | open the door |
open the jar | open the curtains | open the file on my laptop | close the door | close the drawer | close the window
| close the browser | close the lid of the pot | close your eyes | shut the fridge | clean the table | set the table
for dinner | wash the dishes | dry the plates | fold the shirt | iron my shirt | hang up the laundry | start the
washing machine | load the dishwasher | sort the socks | sweep the floor | vacuum the living room | mop the kitchen
| take out the trash | water the plants | feed the cat | make me a coffee | brew some tea | pour me a glass of water
| stir the soup | chop the onions | slice the bread | peel the potatoes | crack an egg | flip the pancake | butter
the toast | grill the sausages | preheat the oven | bake a cake | cook some pasta | drill a hole here | screw this
panel on | hammer in the nail | saw the board in half | solder the wire | tighten the bolts on the frame mike | sand
the edge | paint the wall | weld the seam | measure the length of the shelf | cut the rope | glue the pieces
together | drive to the kitchen | drive to the charging station | follow me to the lobby | walk to the door | come
to the kitchen | go to the bathroom | go upstairs | take the elevator to floor three | turn left at the next corner
| turn right after the bridge | make a u turn | park the car | drive down the hallway | go straight then take the
second left | take off and fly to the roof | land the drone | dance for me | do a backflip | wave at the audience |
sing a song | take a picture of us | draw a cat | write my name | type a letter | press the red button | push the
doorbell | flip the light switch | pull the lever | play chess with me | roll the dice | shuffle the cards | throw
the frisbee | kick the football | build a tower | solve the puzzle | remind me to call mom | what's the weather
tomorrow | call my wife | send an email to the boss | order a pizza | search the web for cheap flights | translate
this into spanish | read me the news | hello | hi there | good evening | nice to meet you | how are you | how's it
going | thank you | thanks a lot | thank you very much | good job | good robot | nice one | very good | perfect |
great work | bravo | excellent | not bad at all | that looks good | that was impressive | wow | amazing | oh no |
oops | damn it | ouch that hurt | forget it | sorry | excuse me | bless you | see you tomorrow | goodbye | bye for
now | have a nice weekend | yes | no | maybe | i don't know | i think so | of course | sure | exactly | let me think
| well | so | um what was i saying | uh | you know what i mean | i mean | and then he said | if i were you | because
of the | when the other one | the thing is that | what i wanted to say was | but then again | so this is the | as
soon as we | with the other | on top of that | in front of | either way | the one next to | i was going to | and the
| could you maybe | can you | please | i'd like | the left | the box | the arm | one two three | four five six seven
| forty two | number nine | twenty percent | three point one four | room two hundred and seven | nineteen eighty
four | five euros fifty | a quarter past ten | half past eight | two thousand dollars | peter | maria | john smith |
doctor williams | hey susan | anna are you there | mister brown is waiting | that's kevin from accounting | hello
this is sarah speaking | who's calling please | can i call you back later | i'm in the lab right now | sorry you're
breaking up | the line is terrible | i'll put you through to him | yes i can hear you | no it's not a bad time | let
me get back to you on that | i'm on the other line | what's your phone number | please leave a message after the
beep | i'll text you the address | tell him i said hi | did you get my email | what do you think of it | how does it
work | is it learning by itself | how long did the training take | how many cameras does it have | what can it do |
can it hear us | does it understand german | does it understand what i'm saying | is the microphone on | what
language model is it | how fast is it | how strong is it | is it dangerous | is it safe to stand here | does it ever
get tired | who is the manufacturer | how much does it cost | where's the emergency stop | where's the power switch
| the emergency stop is over there | is it plugged in | how old is this robot | what's its name | can it see colors
| does it know where the table is | what is it doing now | what's it waiting for | why is it so slow | why isn't it
doing anything | it didn't hear you | it doesn't understand me | it got confused | it's thinking | it's doing great
today | it's better than last week | it missed again | it nearly knocked the lamp over | it made a funny noise | it
dropped everything yesterday | that was too fast | that took forever | it's getting better | look at that | look it
did it | watch this | see i told you | i can't believe it | how cute | it's kind of creepy | my daughter would love
this | my kids have a toy like that | we should film this | are you recording | did you save the data | run the test
again lisa | check the log file please | restart the computer | reboot the server | plug in the cable tom | hand out
the flyers to the guests | bring the visitors in | tell the others to come over | could you check the battery jim |
charge the battery overnight | mark please write down the result | lisa take a photo of this | tom go get some
coffee | stand back kids | step behind the line please | everyone gather round | please don't lean on the table |
please keep off the cables | the table is wobbly | the table needs cleaning | we need a new table | i booked a table
for two | let's put that on the table at the meeting | the camera is dirty | the light in here is bad | it's cold in
here | it's so hot today | i'm hungry | i'm thirsty | i'm so tired | what's for lunch | shall we have a break |
let's get something to eat | my back hurts | i'll come back tomorrow | she's back from vacation | welcome back | i
want my money back | back in the day we did this by hand | back then there were no robots | looking forward to it |
i look forward to the demo | can we fast forward the video | that's a big step forward for us | one step at a time |
we're ahead of schedule | the project is a bit behind | it's a bit late | a little more time would help | a bit more
patience please | just a little nervous | a little bird told me | slightly disappointing | it's a bit expensive | it
went a bit too far left | it was a little too high | that was a bit too far to the right | it's not far from here |
how far can it reach | so far so good | far from perfect | that's way too expensive | no way | by the way did you
call her | it's on its way | which way is forward | which gripper is open now | which arm is it using | is the arm
home already | is it holding something | what is it holding | has it got the ball | it's holding it too tight | it
lost its grip | get a grip man | he has a firm handshake | we had a handover meeting this morning | the handover
worked fine | the shift handover is at six | i gave it to the other guy | he gave it to me yesterday | can the arms
collide | both arms are the same length | both of them look good | both of us were there | i can't let go of the
past | she let it go eventually | i had to let him go last month | the new release comes out on friday | the press
release is ready | release notes are online | the parking lot is full | the rest of the team is at lunch | the rest
is history | i need some rest | i need a drop of milk in my tea | i'll drop by later | temperatures will drop
tonight | let's call it a day folks | the meeting starts in ten minutes | the bus stop is around the corner | when
does the next train leave | it never stops raining | i couldn't stop laughing | the clock has stopped | the screen
froze again | my fingers are freezing | i can't wait to see it | we waited for an hour | the waiting list is long |
worth the wait | the pause button is broken | hold the elevator for me sam | on hold again | the music was too loud
| we tilted the camera last time | the picture is tilted | the floor isn't level | my wrist hurts from typing | i
twisted my ankle | it's your turn | whose turn is it | i took a wrong turn | it turned out fine | the story has a
twist | the screw is loose | i need a wider screen | the street is too narrow here | the gap is too narrow isn't it
| the grippers open up to eight centimeters i think | the hand has two fingers | above all be nice to the guests |
the lamp above us flickers | it's hovering i think | it hovered above the ball for ages | over and out | game over |
it's all over the news | did you pick the color yourself | i like how it picks things up | it can pick up one object
at a time | when it picks something up the light turns green | later it will put everything in the box | yesterday
it packed the whole box | if you say go home it parks its arms | you can tell it to open the gripper | you have to
say left or right | say please next time | she asked it to pick up the ball | he said move it to the left | what
happens if i say let go | does it know left from right
"""

TALK = tuple(" ".join(sentence.split()) for sentence in _SENTENCES.split("|"))
