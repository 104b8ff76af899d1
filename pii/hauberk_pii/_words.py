"""Words that say nothing about people (pure data).

Rules:
* `COMMON` are English words that stand capitalised in ordinary sentences, keys, months, days,
  roles, and names that are words as well. None of them, alone, is taken for a person.
* `PARTICLES` are the small words inside of names.
"""

from __future__ import annotations

PARTICLES = frozenset(
    "van von der den de del della di da dos das du la le el al bin ibn ben abu ter ten zu y".split()
)

COMMON = frozenset(
    """
    a about above account accounts acting action active additional address admin administrator after
    afternoon again age agency agent agents alert all also always am amount an and annual another
    answer any anyone application approved are area art as ask assistant at attention august autumn
    available back bank bay beach below best big bill billing birth black blue board body book both
    bot brand brown bug business but buy by call can card care case cash cell center central chair
    chairman chance change charity chase check chief child christian church city claim class clay
    clerk client clients close code cold colleague colleagues college come comment commission
    committee community company complete confidential contact context copy corp corporation could
    council country county court credit crystal current customer customers daily dale dark data date
    dawn day days dean dear debit december default delivery department desk detail details developer
    did director district division do doctor document does done down draft drew drive driver due duke
    each earl east easter economic education eight either email employee end energy english enough
    error estate eve even evening event ever every everyone example exchange executive express face
    fair faith false family fast father february federal few field file finance financial first five
    flat flora florence folks following for foreign form forest forward found four frank free friday
    friend friends from front full fund gene general gentlemen get gift given global go god gold good
    grace grand grant gray great green grey ground group guest guests guy had hall happy has hat have
    he head headline health heath hello help her here hey hi high hill his holiday holly home honey
    hope hospital hotel house how however hr human hunter i id identity if important in inc info
    information input instruction instructions insurance international internet into invoice iris is
    island issue it item items its ivy jack jade january jasmine jesus job joint joy judge july june
    junior just justice key keys kind king kit know ladies lady lake lance land lane large last late
    law lead left legal less let letter level life light like lily limited line list live local
    long look lord love low ltd made madam mail main major make man management manager many march
    mark market marshall mason master matter max may me medical meeting melody member
    members memo men merry message middle miles mill mine minister miss mobile model monday money
    month more morning most mother mountain mr mrs ms much my name names national need neither never
    new news next nice nick night nine no nobody none nor normal north not note notes nothing
    notification november now nurse number object october of off office officer official ok old olive
    on once one online only open opening or order orders organization other our out over owner page
    paris park part partner partners party pass passenger password pat patience patient patients
    pay payment pearl people per person personal phone pilot place plan please point police
    policy pool poor port position post power premier present president press price prince princess
    private prize product professor profile program project property public purchase queen question
    quick ray re read ready real reason receipt received record red ref reference regarding
    regards region register remember reminder remote reply report request research result results
    return review rich right river road robin rob rock role room rose royal ruby run rusty said sales
    sandy saturday savannah save say school science scout sea search second secret secretary section
    security see self senator send sender senior sent september server service services session
    set seven shall she sheriff ship shop short should show sierra sign signature signed silver since
    single sir sister site six sky small so social software some someone son song soon south special
    spring square staff stage standard star start state statement station status still stone store
    storm street student subject such summary summer sun sunday sunny supplier support sure system
    table take task tax teacher team teams tech technical telephone tell ten term terms test text
    than thank thanks that the their them then there these they thing things third this those three
    through thursday ticket tiffany time tiny title to today together tomorrow tonight too
    top total tower town track trade transfer travel treasurer true trust tuesday turn two type under
    union unit united university unknown until up update upon urgent us use user users value van
    vendor version very via vice victor victory view village viola violet visit volunteer wade want
    ward was water way we web website wednesday week weekly welcome well were west what
    when where which while white who whole whom why wife will winter wish with within without wolf
    woman wood word words work worker world would write year yearly years yes yesterday you young
    your yours yourself zero zip n/a na null none tbd anonymous nobody undefined test
    """.split()
)
